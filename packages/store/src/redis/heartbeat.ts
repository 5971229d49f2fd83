import type { Redis } from 'ioredis'
import { z } from 'zod'

/** How often the other end is asked whether it is there, in ms. */
const ASK_MS = 250

/** How long a connection may be silent by default until it counts as dead (ms): a black hole sends no reset. */
export const SILENCE_MS_MAX = 2_500

/**
 * While it is set up it is given less (ms): nothing is lost with it, and with the time between two attempts it is below the 2 s
 * within which orders are to be served again once Redis is back.
 */
const SETUP_MS_MAX = 1_000

/**
 * The server is a replica: it takes no orders, and what it says may be old. Another one is master by now, to be found at the
 * same address (a name, a balancer) or by the sentinels: the connection is opened anew.
 */
export class Demoted extends Error {
  override readonly name = 'Demoted'

  constructor() {
    super('Redis is a replica here, not the master: connecting anew')
  }
}

/**
 * Keeps a connection from waiting for ever for one who is gone without a word, and from staying with a server that is master no
 * more: idle or not, while it is set up, and however often it is closed and opened.
 */
export function watchHeartbeat(node: Redis, heartbeatMsMax = SILENCE_MS_MAX): void {
  let asking: NodeJS.Timeout | undefined
  /** Looks since the question that is not answered yet. Time in which we did not run ourselves is not the other's silence. */
  let looks: number | undefined
  let bytesRead = 0
  const answered = () => {
    looks = undefined
  }
  const look = () => {
    if (asking === undefined) return
    if (looks === undefined) {
      looks = 0
      roleOf(node).then((role) => {
        answered()
        if (role === 'replica' && !node.options.readOnly) node.stream.destroy(new Demoted())
      }, answered)
      return
    }
    looks = node.stream.bytesRead === bytesRead ? looks + 1 : 0 // Whoever sends is there.
    bytesRead = node.stream.bytesRead
    const msMax = node.status === 'ready' ? heartbeatMsMax : Math.min(heartbeatMsMax, SETUP_MS_MAX)
    if (looks * ASK_MS >= msMax)
      node.stream.destroy(new Error(`Redis has not answered for ${msMax} ms`))
  }
  node.on('connect', () => {
    looks = 0 // While it is set up nothing may be sent: to be ready is the answer.
    bytesRead = 0
    // Whoever was stopped himself has read by then what came meanwhile: an answer, or that the connection is closed.
    asking ??= setInterval(() => setImmediate(look), ASK_MS).unref()
  })
  node.on('ready', answered)
  node.on('close', () => {
    clearInterval(asking)
    asking = undefined
  })
}

const Hello = z.array(z.unknown())

/**
 * What a server is: `master`, or `replica`; undefined if it does not say. HELLO tells it to whoever is logged in, where ROLE and
 * INFO may be forbidden.
 */
export async function roleOf(node: Redis): Promise<string | undefined> {
  const told = Hello.safeParse(await node.call('HELLO'))
  const role = told.data?.[told.data.indexOf('role') + 1]
  return typeof role === 'string' ? role : undefined
}
