import type { Redis } from 'ioredis'
import { z } from 'zod'

/** How often the server is asked for its role, in ms. */
const ASK_MS = 250

/** While nothing else is sent it is asked every fourth time only: an idle process takes no CPU. */
const IDLE_TIMES = 4

/**
 * How long a connection may be silent by default before it counts as dead (ms): a lost route sends
 * no reset.
 */
export const SILENCE_MS_MAX = 2_500

/**
 * The limit while a connection is set up (ms). It is shorter, because nothing is lost with such a
 * connection; with the pause between two attempts it is below the 2 s within which orders must be
 * served again once Redis is back.
 */
const SETUP_MS_MAX = 1_000

/**
 * The server is a replica by now: it accepts no orders, and its data may be old. The new master is
 * found at the same address (a host name, a load balancer) or by the sentinels, so the connection
 * is opened again.
 */
export class Demoted extends Error {
  override readonly name = 'Demoted'

  constructor() {
    super('Redis is a replica here, not the master: connecting again')
  }
}

/**
 * Ends a connection whose server is gone without closing it, or is not the master any more, so that
 * it is opened again. Works while the connection is idle, busy or being set up, and each time it is
 * opened.
 */
export function watchHeartbeat(node: Redis, heartbeatMsMax = SILENCE_MS_MAX): void {
  let asking: NodeJS.Timeout | undefined
  /**
   * Checks since the unanswered question. Counted in checks, not in time: our own pauses are not
   * the server's silence.
   */
  let looks: number | undefined
  let bytesRead = 0
  /** As of the last question. */
  let bytesWritten = 0
  let timesSince = 0
  const answered = () => {
    looks = undefined
  }
  const look = () => {
    if (asking === undefined) return
    if (looks === undefined) {
      timesSince += 1
      if (node.stream.bytesWritten === bytesWritten && timesSince < IDLE_TIMES) return
      looks = 0
      timesSince = 0
      const asked = roleOf(node)
      bytesWritten = node.stream.bytesWritten
      asked.then((role) => {
        answered()
        if (role === 'replica' && !node.options.readOnly) node.stream.destroy(new Demoted())
      }, answered)
      return
    }
    looks = node.stream.bytesRead === bytesRead ? looks + 1 : 0 // A server that sends is alive.
    bytesRead = node.stream.bytesRead
    const msMax = node.status === 'ready' ? heartbeatMsMax : Math.min(heartbeatMsMax, SETUP_MS_MAX)
    if (looks * ASK_MS >= msMax)
      node.stream.destroy(new Error(`Redis has not answered for ${msMax} ms`))
  }
  node.on('connect', () => {
    looks = 0 // Nothing can be asked during setup: `ready` is the answer.
    bytesRead = 0
    asking ??= setTimeout(() => {
      // setImmediate: after our own pause, what has arrived meanwhile is read first: an answer, or
      // the end.
      asking = setInterval(() => setImmediate(look), ASK_MS).unref()
    }, untilNextTick()).unref()
  })
  node.on('ready', answered)
  node.on('close', () => {
    clearTimeout(asking) // Or the interval.
    asking = undefined
  })
}

/** All connections of a process are looked at together (ms): each waking of an idle one costs. */
const untilNextTick = (): number => ASK_MS - (performance.now() % ASK_MS)

const Hello = z.array(z.unknown())

/**
 * The role of a server, `master` or `replica`; undefined if it does not say. Every user may send
 * HELLO, while ROLE and INFO may be forbidden.
 */
export async function roleOf(node: Redis): Promise<string | undefined> {
  const { data } = Hello.safeParse(await node.call('HELLO'))
  const role = data?.[data.indexOf('role') + 1]
  return typeof role === 'string' ? role : undefined
}
