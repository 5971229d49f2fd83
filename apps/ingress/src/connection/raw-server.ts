import http, { type IncomingMessage, type RequestListener, type Server } from 'node:http'
import https from 'node:https'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { answer, type ResultCode } from '@placeorder/protocol'
import { addresseeOf } from '../addressee.ts'
import type { Signer } from '../signing/signer.ts'
import type { Connections } from './connections.ts'
import { Exchanges } from './exchanges.ts'
import type { TlsOptions } from './tls.ts'

// Alipay+ sends an order in one piece, in milliseconds; who takes longer holds a connection and sends nothing. But what
// has come may be unread since we could not run ourselves: no caller is still there after so long (Alipay+ gives up after 8 s).
const HEADERS_MS_MAX = 10_000
const REQUEST_MS_MAX = 15_000
const HANDSHAKE_MS_MAX = 10_000
/** An answer is there after 5 s at most; a caller that does not read it for so long (ms) never will. */
const STUCK_MS_MAX = 30_000
/** How often Node looks for connections past these times, in ms. */
const CHECK_MS = 1_000

/** Longer than a load balancer keeps a connection idle (60 s are usual), so that it is never we who close under it. */
const KEEP_ALIVE_MS = 75_000

/** All header lines together, in bytes; a signature of 4096 bits, percent-encoded, is below 2 KiB. */
const HEADER_BYTES_MAX = 16_384

export type ListenerDeps = {
  connections: Connections
  signer: Signer
  /** How long an answer may take, in ms. */
  waitMs: number
  tls: TlsOptions | undefined
  /** Told of an answer to what is no HTTP, and why it is none. */
  onNonHttp: (code: ResultCode, reason: string) => void
  /** Told why a caller and we did not come to speak TLS. */
  onTlsError: (error: Error) => void
}

/** How long a connection may take for what, in ms. */
export const times = {
  handshakeTimeout: HANDSHAKE_MS_MAX,
  headersTimeout: HEADERS_MS_MAX,
  requestTimeout: REQUEST_MS_MAX,
  connectionsCheckingInterval: CHECK_MS,
  keepAliveTimeout: KEEP_ALIVE_MS,
}

const options = {
  maxHeaderSize: HEADER_BYTES_MAX,
  requireHostHeader: false,
  noDelay: true,
  allowHalfOpen: true,
  shouldUpgradeCallback: () => false, // A request that offers another protocol is one all the same, and answered as one.
}

/** The server Fastify listens on, with every time-out said. What is no HTTP is answered too, in the protocol's words. */
export function createListener(
  handler: RequestListener,
  deps: ListenerDeps,
  bounds: typeof times = times,
): Server {
  const { tls, connections, onTlsError } = deps
  const exchanges = new Exchanges()
  const counted = exchanges.counted(handler)
  const server = tls
    ? https.createServer({ ...options, ...bounds, ...mutual(tls) }, counted)
    : http.createServer({ ...options, ...bounds }, counted)
  // Whoever has said all and closes its half still gets its answer. Node has no option for this, only the property.
  Object.assign(server, { httpAllowHalfOpen: true })
  server.timeout = STUCK_MS_MAX
  connections.watch(server)
  server.on('checkExpectation', counted)
  server.on('connect', (_request: IncomingMessage, socket: Duplex) => {
    exchanges.end(socket, () => answerRaw('/', 'METHOD_NOT_SUPPORTED', 'CONNECT', deps))
  })
  server.on('clientError', (error: ClientError, socket: Duplex) => {
    const { code, rawPacket } = error
    if (code === 'ECONNRESET' || isSilent(error, socket)) socket.destroy()
    exchanges.end(socket, (last) =>
      answerRaw(targetOf(rawPacket, last), codeOf(code), code ?? 'it is no HTTP', deps),
    )
  })
  server.on('tlsClientError', (error: Error, socket: Duplex) => {
    socket.destroy()
    onTlsError(error)
  })
  return server
}

type ClientError = NodeJS.ErrnoException & { rawPacket?: Buffer }

/** Whether a connection is closed for its time, and has sent nothing that an answer could be for. */
const isSilent = (error: ClientError, socket: Duplex): boolean =>
  error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && socket instanceof Socket && socket.bytesRead === 0

/** What did not come whole may be the start of a good order, or of the repeat of one: nothing final is said of it. */
const unfinished: readonly (string | undefined)[] = [
  'ERR_HTTP_REQUEST_TIMEOUT',
  'HPE_INVALID_EOF_STATE',
]

/** What is wrong with what is no HTTP. */
function codeOf(code: string | undefined): ResultCode {
  if (code === 'HPE_INVALID_METHOD') return 'METHOD_NOT_SUPPORTED'
  return unfinished.includes(code) ? 'UNKNOWN_EXCEPTION' : 'PARAM_ILLEGAL'
}

function mutual({ cert, key, ca }: TlsOptions): https.ServerOptions {
  return ca === undefined
    ? { cert, key }
    : { cert, key, ca, requestCert: true, rejectUnauthorized: true }
}

/** Turns of the event loop in which what was sent is still read, at most: more connections than the kernel keeps for us. */
const TURNS_MAX = 10_000
/** With so many turns in a row that brought no connection, there is none, and what the last ones sent has been read. */
const QUIET_TURNS = 3

/**
 * Accepts what has connected and reads what it has sent, so that no connection is taken for idle that has a request on it.
 * One turn of the event loop may accept as little as one connection, and only the next one reads from it (chaos, seed 108).
 */
export async function readAllSent(server: Server): Promise<void> {
  let quiet = 0
  const accepted = () => {
    quiet = 0
  }
  server.on('connection', accepted)
  for (let turn = 0; turn < TURNS_MAX && quiet < QUIET_TURNS; turn += 1) {
    quiet += 1
    await nextTurn()
  }
  server.off('connection', accepted)
}

/** The answer to what is no HTTP, as it goes over the wire. The connection ends with it: nothing after it can be trusted. */
async function answerRaw(
  target: string,
  code: ResultCode,
  reason: string,
  { signer, waitMs, onNonHttp }: ListenerDeps,
): Promise<Buffer> {
  const body = Buffer.from(JSON.stringify(answer(code)))
  const turn = { rank: 'stranger', flow: 'raw', deadlineAt: performance.now() + waitMs } as const
  const headers = await signer.headersFor({ ...addresseeOf(target), body, shareable: true }, turn)
  onNonHttp(code, reason)
  const lines = [
    'HTTP/1.1 200 OK',
    'Content-Type: application/json; charset=UTF-8',
    `Content-Length: ${body.length}`,
    `Client-Id: ${headers['client-id']}`,
    `Response-Time: ${headers['response-time']}`,
    `Signature: ${headers.signature}`,
    'Connection: close',
  ]
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), body])
}

/** The target of what is broken, as far as one can be seen: a packet may hold the end of a request that was good. */
function targetOf(packet: Buffer | undefined, last: IncomingMessage | undefined): string {
  if (last !== undefined) return (last.complete ? undefined : last.url) ?? '/'
  return /^\S+ ([^ \r\n]+)/.exec(packet?.toString('latin1') ?? '')?.[1] ?? '/'
}
