import { connect, type Socket } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'
import { z } from 'zod'
import { broken, strangers } from './strangers.ts'

const FloodOptions = z.object({
  port: z.int(),
  requestsPerSecond: z.number(),
  /** Whose name some of the requests bear. */
  knownClientId: z.string(),
})
export type FloodOptions = z.infer<typeof FloodOptions>

/** How many requests were sent, and how many answers came, so far. */
export type FloodCount = { sent: number; answered: number }

/**
 * Connections that are kept alive and take turns, so that no answer waits long for another on its
 * connection.
 */
const CONNECTIONS = 16
/** One of so many is not HTTP, and ends its connection: it has one of its own. */
const BROKEN_EVERY = 50
/**
 * More than are sent in a second, in which equal answers share a signature; made before the first
 * is sent.
 */
const DIFFERENT = 12_000

const ANSWER = Buffer.from('HTTP/1.1 200 ')

const { port, requestsPerSecond, knownClientId } = FloodOptions.parse(workerData)
const requests = strangers(DIFFERENT, knownClientId)
const count: FloodCount = { sent: 0, answered: 0 }
const sockets: (Socket | undefined)[] = []
let timer: NodeJS.Timeout | undefined

function open(): Socket {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  socket.on('error', () => {})
  socket.on('data', (chunk: Buffer) => {
    for (let at = chunk.indexOf(ANSWER); at >= 0; at = chunk.indexOf(ANSWER, at + 1))
      count.answered += 1
  })
  return socket
}

function sendOne(): void {
  const n = count.sent
  count.sent += 1
  if (n % BROKEN_EVERY === 0) {
    open().end(broken[(n / BROKEN_EVERY) % broken.length] ?? '')
    return
  }
  const kept = sockets[n % CONNECTIONS]
  const socket = kept?.writable ? kept : open()
  sockets[n % CONNECTIONS] = socket
  socket.write(requests[n % DIFFERENT] ?? '')
}

/**
 * Sends what is due each millisecond: requests come one by one, as from many callers, and not in
 * heaps.
 */
function begin(): void {
  const [startedAt, before] = [performance.now(), count.sent]
  timer = setInterval(() => {
    const due = before + ((performance.now() - startedAt) * requestsPerSecond) / 1_000
    while (count.sent < due) sendOne()
  }, 1)
}

parentPort?.on('message', (flows: boolean) => {
  clearInterval(timer)
  if (flows) begin()
  parentPort?.postMessage({ ...count })
})
