/**
 * Runs `body` with a signal that aborts after `ms`. The timer ends with `body`, so that no wait leaves anything behind.
 */
export async function within<T>(ms: number, body: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  const timer = setTimeout(
    () => controller.abort(new DOMException(`not done within ${ms} ms`, 'TimeoutError')),
    ms,
  )
  try {
    return await body(controller.signal)
  } finally {
    clearTimeout(timer)
  }
}
