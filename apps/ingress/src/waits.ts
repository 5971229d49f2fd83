/** Waits that end in time, each with its timer. */
export class Waits {
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
  cutShort(): void {
    for (const controller of this.#open)
      controller.abort(new DOMException('the process is ending', 'AbortError'))
  }
}
