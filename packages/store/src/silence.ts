import type { Redis } from 'ioredis'

/** How often the other end is asked whether it is there, in ms. */
const ASK_MS = 250

/**
 * After this many ms without an answer a connection counts as dead and is opened anew: a black hole sends no reset.
 * With the time between two questions, and between two attempts to connect, it is below 2 s, within which orders
 * are to be served again once Redis is back.
 */
const SILENCE_MS_MAX = 1_000

/**
 * Keeps a connection from waiting for ever for one who is gone without a word: idle or not, while it is set up, and however
 * often it is closed and opened.
 */
export function breakSilence(node: Redis): void {
  let asking: NodeJS.Timeout | undefined
  let waitsSince: number | undefined
  const answered = () => {
    waitsSince = undefined
  }
  const look = () => {
    if (asking === undefined) return
    if (waitsSince !== undefined) {
      if (performance.now() - waitsSince > SILENCE_MS_MAX)
        node.stream.destroy(new Error(`Redis has not answered for ${SILENCE_MS_MAX} ms`))
      return
    }
    waitsSince = performance.now()
    node.ping().then(answered, answered)
  }
  node.on('connect', () => {
    waitsSince = performance.now() // While it is set up nothing may be sent: to be ready is the answer.
    // Whoever was stopped himself has read by then what came meanwhile: an answer, or that the connection is closed.
    asking ??= setInterval(() => setImmediate(look), ASK_MS).unref()
  })
  node.on('ready', answered)
  node.on('close', () => {
    clearInterval(asking)
    asking = undefined
  })
}
