/**
 * Yields results in batches as they arrive: all that are there when the previous batch has been
 * processed. A late result delays no other, and results that arrive together are processed
 * together.
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
