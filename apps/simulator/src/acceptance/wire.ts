import http, { type ClientRequest, type IncomingMessage } from 'node:http'
import https from 'node:https'
import {
  ANSWER_BYTES_MAX,
  errorReason,
  type Reply,
  singleHeaders,
  type Tls,
} from '../client/place-order-client.ts'

/** A header as it is sent: in this order and spelling, and as often as it is listed. */
export type Header = readonly [name: string, value: string]

/** A request that may break any rule that HTTP itself does not enforce. */
export type RawRequest = { method: string; url: URL; headers: readonly Header[]; body: Buffer }

/** The endpoint of a request; `none` for requests that the protocol promises no answer for. */
export type Endpoint = 'place' | 'inquire' | 'none'

/** A request of a case, and its reply. */
export type RecordedExchange = {
  caseName: string
  endpoint: Endpoint
  request: RawRequest
  reply: Reply
  tookMs: number
}

/** A connection that several requests may share, one after the other. */
export type HttpConnection = { agent: http.Agent; close: () => void }

/** Returns a connection, which is opened by its first request. */
export function openConnection(url: URL, tls: Tls): HttpConnection {
  const kept = { keepAlive: true, maxSockets: 1 }
  const agent =
    url.protocol === 'https:' ? new https.Agent({ ...kept, ...tls }) : new http.Agent(kept)
  return { agent, close: () => agent.destroy() }
}

type ConnectOptions = { tls: Tls; connection?: HttpConnection | undefined }

/**
 * Sends a request and waits at most `timeoutMs` for its answer; then its connection is dropped.
 * Failures are values. The signature of the answer is not checked here.
 */
export async function exchange(
  request: RawRequest,
  { timeoutMs, ...options }: ConnectOptions & { timeoutMs: number },
): Promise<Reply> {
  const { promise, resolve } = Promise.withResolvers<Reply>()
  const call = open(request, options)
  const timer = setTimeout(() => {
    resolve({ kind: 'TIMED_OUT', afterMs: timeoutMs })
    call.destroy()
  }, timeoutMs)
  call.on('error', (error) => resolve({ kind: 'DROPPED', reason: errorReason(error) }))
  call.on('response', (response) => {
    read(response).then(resolve, (error) =>
      resolve({ kind: 'DROPPED', reason: errorReason(error) }),
    )
  })
  call.end(request.method === 'GET' ? undefined : request.body)
  return promise.finally(() => clearTimeout(timer))
}

/** Sends all of a request, or half of its body, and drops the connection without an answer. */
export async function drop(
  request: RawRequest,
  part: 'ALL' | 'HALF',
  options: ConnectOptions,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const call = open(request, options)
  call.on('error', () => resolve())
  call.on('close', () => resolve())
  if (part === 'ALL') call.end(request.body, () => call.destroy())
  else call.write(request.body.subarray(0, request.body.length / 2), () => call.destroy())
  return promise
}

function open(
  { method, url, headers, body }: RawRequest,
  { tls, connection }: ConnectOptions,
): ClientRequest {
  const chunked = headers.some(([name]) => name.toLowerCase() === 'transfer-encoding')
  const length: Header[] = chunked || method === 'GET' ? [] : [['Content-Length', `${body.length}`]]
  const options = {
    method,
    agent: connection?.agent ?? false,
    // A flat list keeps order, spelling and duplicates.
    headers: [['Host', url.host] as const, ...headers, ...length].flat(),
  }
  return url.protocol === 'https:'
    ? https.request(url, { ...options, ...tls })
    : http.request(url, options)
}

async function read(response: IncomingMessage): Promise<Reply> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response) {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes > ANSWER_BYTES_MAX)
      throw new Error(`the answer has more than ${ANSWER_BYTES_MAX} bytes`)
  }
  return {
    kind: 'ANSWERED',
    httpStatus: response.statusCode ?? 0,
    headers: singleHeaders(response.headers),
    body: Buffer.concat(chunks),
    signature: 'UNCHECKED',
  }
}
