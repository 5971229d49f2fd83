import http, { type IncomingMessage, type RequestListener, type Server } from 'node:http'
import https from 'node:https'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { answer, type ResultCode } from '@placeorder/protocol'
import { addresseeOf } from '../addressee.ts'
import type { Signer } from '../signing/signer.ts'
import type { Connections } from './connections.ts'
import type { Exchanges } from './exchanges.ts'
import type { TlsOptions } from './tls.ts'

// Alipay+ sends an order in one piece, within milliseconds; a caller that takes longer only holds a
// connection. But a request that has arrived may be unread because we could not run: after this
// time no caller is still waiting (Alipay+ gives up after 8 s).
const HEADERS_MS_MAX = 10_000
const REQUEST_MS_MAX = 15_000
const HANDSHAKE_MS_MAX = 10_000
/**
 * An answer is sent after 5 s at most; a caller that has not read it for this long (ms) never will.
 */
const STUCK_MS_MAX = 30_000
/** How often Node checks connections against these timeouts, in ms. */
const CHECK_MS = 1_000

/**
 * Longer than a load balancer keeps an idle connection (usually 60 s), so that we never close one
 * that it is about to use.
 */
const KEEP_ALIVE_MS = 75_000

/** All header lines together, in bytes; a percent-encoded signature of 4096 bits is below 2 KiB. */
const HEADER_BYTES_MAX = 16_384

export type ListenerDeps = {
  connections: Connections
  exchanges: Exchanges
  signer: Signer
  /** How long an answer may take, in ms. */
  waitMs: number
  tls: TlsOptions | undefined
  /** Notified of an answer to bytes that are not HTTP, and why they are not. */
  onNonHttp: (code: ResultCode, reason: string) => void
  /** Notified of a failed TLS handshake. */
  onTlsError: (error: Error) => void
}

/** Time limits of a connection, in ms. */
export const timeouts = {
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
  // An offer to upgrade is ignored: it is answered as a plain request.
  shouldUpgradeCallback: () => false,
}

/**
 * The server that Fastify listens on, with every time-out set. What is not HTTP is answered too, in
 * the protocol's words.
 */
export function createListener(
  handler: RequestListener,
  deps: ListenerDeps,
  limits: typeof timeouts = timeouts,
): Server {
  const { tls, connections, exchanges, onTlsError } = deps
  const counted = exchanges.counted(handler)
  const server = tls
    ? https.createServer({ ...options, ...limits, ...mutual(tls) }, counted)
    : http.createServer({ ...options, ...limits }, counted)
  // A caller that closes its half after a request still gets its answer. Node has no option for
  // this, only the property.
  Object.assign(server, { httpAllowHalfOpen: true })
  server.timeout = STUCK_MS_MAX
  connections.watch(server)
  server.on('checkExpectation', counted)
  server.on('connect', (_request: IncomingMessage, socket: Duplex) => {
    exchanges.end(socket, () => nonHttpAnswer('/', 'METHOD_NOT_SUPPORTED', 'CONNECT', deps))
  })
  server.on('clientError', (error: ClientError, socket: Duplex) => {
    const { code, rawPacket } = error
    if (code === 'ECONNRESET' || isSilent(error, socket)) socket.destroy()
    exchanges.end(socket, (last) =>
      nonHttpAnswer(targetOf(rawPacket, last), codeOf(code), code ?? 'it is not HTTP', deps),
    )
  })
  server.on('tlsClientError', (error: Error, socket: Duplex) => {
    socket.destroy()
    onTlsError(error)
  })
  return server
}

type ClientError = NodeJS.ErrnoException & { rawPacket?: Buffer }

/** Whether a connection timed out without having sent anything that could be answered. */
const isSilent = (error: ClientError, socket: Duplex): boolean =>
  error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && socket instanceof Socket && socket.bytesRead === 0

/**
 * An incomplete request may be the start of a valid order or of its repeat: its answer is not
 * final.
 */
const unfinished: readonly (string | undefined)[] = [
  'ERR_HTTP_REQUEST_TIMEOUT',
  'HPE_INVALID_EOF_STATE',
]

/** The result code for bytes that are not HTTP. */
function codeOf(code: string | undefined): ResultCode {
  if (code === 'HPE_INVALID_METHOD') return 'METHOD_NOT_SUPPORTED'
  return unfinished.includes(code) ? 'UNKNOWN_EXCEPTION' : 'PARAM_ILLEGAL'
}

function mutual({ cert, key, ca }: TlsOptions): https.ServerOptions {
  return ca === undefined
    ? { cert, key }
    : { cert, key, ca, requestCert: true, rejectUnauthorized: true }
}

/**
 * The event loop turns in which connections are still accepted and read, at most: more than the
 * kernel queues connections.
 */
const TURNS_MAX = 10_000
/**
 * After this many turns in a row without a new connection there is none, and what the last ones
 * sent has been read.
 */
const QUIET_TURNS = 3

/**
 * Accepts the connections that are queued and reads what they have sent, so that none with a
 * request counts as idle. One turn of the event loop may accept as little as one connection, and
 * only the next one reads from it (chaos, seed 108).
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

/**
 * The bytes of the answer to what is not HTTP. The connection ends with it: nothing after it can be
 * trusted.
 */
async function nonHttpAnswer(
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

/**
 * The target of a broken request, as far as it is known: the packet may hold the end of a valid
 * request.
 */
function targetOf(packet: Buffer | undefined, last: IncomingMessage | undefined): string {
  if (last !== undefined) return (last.complete ? undefined : last.url) ?? '/'
  return /^\S+ ([^ \r\n]+)/.exec(packet?.toString('latin1') ?? '')?.[1] ?? '/'
}
