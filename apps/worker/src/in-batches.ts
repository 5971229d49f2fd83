/**
 * Gives results in batches as they come: all that are there by the time the batch before was dealt with. What comes
 * late holds nothing up, and what comes together is dealt with together.
 */
export async function* inBatches<T>(promises: Promise<T>[]): AsyncGenerator<T[], void> {
  let ready: T[] = []
  let left = promises.length
  let failure: { cause: unknown } | undefined
  let wake = Promise.withResolvers<void>()
  for (const promise of promises) {
    promise.then(
      (result) => {
        ready.push(result)
        wake.resolve()
      },
      (cause: unknown) => {
        failure = { cause }
        wake.resolve()
      },
    )
  }
  while (left > 0) {
    await wake.promise
    if (failure !== undefined) throw failure.cause
    const batch = ready
    ready = []
    wake = Promise.withResolvers()
    left -= batch.length
    if (batch.length > 0) yield batch
  }
}
