import type { Redis } from 'ioredis'

/** How often the other end is asked whether it is there, in ms. */
const ASK_MS = 250

/**
 * After this many ms without an answer a connection counts as dead and is opened anew: a black hole sends no reset.
 * With the time between two questions, and between two attempts to connect, it is below 2 s, within which orders
 * are to be served again once Redis is back.
 */
const SILENCE_MS_MAX = 1_000

/** The same while a connection is set up: nobody's command waits behind it, and what a black hole swallowed never comes. */
const SET_UP_MS_MAX = 500

/** Keeps a connection from waiting for ever for one who is gone without a word: idle or not, and also while it is set up. */
export function breakSilence(node: Redis): void {
  let waitsSince: number | undefined
  const waits = () => {
    waitsSince = performance.now()
  }
  const answered = () => {
    waitsSince = undefined
  }
  const look = () => {
    if (node.status !== 'ready' && node.status !== 'connect') return
    if (waitsSince === undefined) {
      waits()
      if (node.status === 'ready') node.ping().then(answered, answered)
      return
    }
    const silenceMsMax = node.status === 'ready' ? SILENCE_MS_MAX : SET_UP_MS_MAX
    if (performance.now() - waitsSince > silenceMsMax)
      node.stream.destroy(new Error(`Redis has not answered for ${silenceMsMax} ms`))
  }
  // Whoever was stopped himself has read by then what came meanwhile: an answer, or that the connection is closed.
  const asking = setInterval(() => setImmediate(look), ASK_MS).unref()
  node.on('connect', waits) // While it is set up nothing may be sent: to be ready is the answer.
  node.on('ready', answered)
  node.on('close', answered)
  node.once('end', () => clearInterval(asking))
}
