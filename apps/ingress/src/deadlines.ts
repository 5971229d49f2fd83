/** What `promise` gives, if it does before `signal` aborts; else it rejects with the signal's reason. */
export async function before<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const late = Promise.withResolvers<never>()
  const abort = () => late.reject(signal.reason)
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([promise, late.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

/** Deadlines that end in time, each with its timer. */
export class Deadlines {
  readonly #open = new Set<AbortController>()

  /**
   * Runs `body` with a signal that aborts after `ms`, or when the waits are cut short. The timer ends with `body`, so that
   * no wait leaves anything behind.
   */
  async within<T>(ms: number, body: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController()
    const timer = setTimeout(
      () => controller.abort(new DOMException(`not done within ${ms} ms`, 'TimeoutError')),
      ms,
    )
    this.#open.add(controller)
    try {
      return await body(controller.signal)
    } finally {
      clearTimeout(timer)
      this.#open.delete(controller)
    }
  }

  /** Ends all waits now: a process that is to end answers what it knows. */
  abortAll(): void {
    for (const controller of this.#open)
      controller.abort(new DOMException('the process is ending', 'AbortError'))
  }
}
