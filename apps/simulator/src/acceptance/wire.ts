import http, { type ClientRequest, type IncomingMessage } from 'node:http'
import https from 'node:https'
import type { Reply, Tls } from '../client/caller.ts'

/** A header's name and value, as they go over the wire: in this order and spelling, a name as often as it is there. */
export type Pair = readonly [name: string, value: string]

/** A request that may be wrong in any way HTTP lets it be. */
export type Sent = { method: string; url: URL; headers: readonly Pair[]; body: Buffer }

/** Which endpoint a request went to; `elsewhere` is what no protocol answer is promised for. */
export type Endpoint = 'place' | 'inquire' | 'elsewhere'

/** A request of a case, and what came of it. */
export type Recorded = { of: string; endpoint: Endpoint; sent: Sent; reply: Reply; tookMs: number }

/** An answer has some hundred bytes; what is larger than this is none. */
const ANSWER_BYTES_MAX = 1_048_576

/** A connection that several requests may go over, one after the other. */
export type HttpConnection = { agent: http.Agent; close: () => void }

/** Opens a connection, when the first request goes over it. */
export function openConnection(url: URL, tls: Tls): HttpConnection {
  const kept = { keepAlive: true, maxSockets: 1 }
  const agent =
    url.protocol === 'https:' ? new https.Agent({ ...kept, ...tls }) : new http.Agent(kept)
  return { agent, close: () => agent.destroy() }
}

type Way = { tls: Tls; connection?: HttpConnection | undefined }

/**
 * Sends a request and waits at most `timeoutMs` for its answer; then its connection is dropped. What becomes of it is a
 * value. The signature of the answer is left unchecked.
 */
export async function exchange(
  sent: Sent,
  { timeoutMs, ...way }: Way & { timeoutMs: number },
): Promise<Reply> {
  const { promise, resolve } = Promise.withResolvers<Reply>()
  const call = open(sent, way)
  const timer = setTimeout(() => {
    resolve({ kind: 'TIMED_OUT', afterMs: timeoutMs })
    call.destroy()
  }, timeoutMs)
  call.on('error', (error) => resolve({ kind: 'DROPPED', reason: reasonOf(error) }))
  call.on('response', (response) => {
    read(response).then(resolve, (error) => resolve({ kind: 'DROPPED', reason: reasonOf(error) }))
  })
  call.end(sent.method === 'GET' ? undefined : sent.body)
  return promise.finally(() => clearTimeout(timer))
}

/** Sends all of a request or half of its body, and drops the connection without waiting for an answer. */
export async function drop(sent: Sent, part: 'ALL' | 'HALF', way: Way): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const call = open(sent, way)
  call.on('error', () => resolve())
  call.on('close', () => resolve())
  if (part === 'ALL') call.end(sent.body, () => call.destroy())
  else call.write(sent.body.subarray(0, sent.body.length / 2), () => call.destroy())
  return promise
}

function open({ method, url, headers, body }: Sent, { tls, connection }: Way): ClientRequest {
  const chunked = headers.some(([name]) => name.toLowerCase() === 'transfer-encoding')
  const length: Pair[] = chunked || method === 'GET' ? [] : [['Content-Length', `${body.length}`]]
  const options = {
    method,
    agent: connection?.agent ?? false,
    // A flat list keeps order, spelling and doubles.
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
  const headers = Object.fromEntries(
    Object.entries(response.headers).map(([name, value]) => [name, [value].flat().join(', ')]),
  )
  const body = Buffer.concat(chunks)
  return {
    kind: 'ANSWERED',
    httpStatus: response.statusCode ?? 0,
    headers,
    body,
    signature: 'UNCHECKED',
  }
}

const reasonOf = (error: unknown): string =>
  error instanceof AggregateError && error.errors.length > 0
    ? reasonOf(error.errors[0])
    : error instanceof Error
      ? error.message
      : String(error)
