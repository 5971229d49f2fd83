/**
 * Resolves with `promise` if it settles before `signal` aborts; else rejects with the signal's
 * reason.
 */
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

/** The deadlines that are running, each with its timer. */
export class Deadlines {
  readonly #open = new Set<AbortController>()

  /**
   * Runs `body` with a signal that aborts after `ms`, or on `abortAll`. The timer ends with `body`.
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

  /** Aborts all of them now: a process that is shutting down answers with what it knows. */
  abortAll(): void {
    for (const controller of this.#open)
      controller.abort(new DOMException('the process is ending', 'AbortError'))
  }
}
