import type { KeyObject } from 'node:crypto'
import { formatSignatureHeader, formatTime, sign, signedText } from '@placeorder/protocol'
import { Agent, request } from 'undici'
import { checkSignature, type SignatureVerdict } from './answer-signature.ts'

/** What undici needs for https; `cert` and `key` for mutual TLS. */
export type Tls = { ca?: Buffer; cert?: Buffer; key?: Buffer; rejectUnauthorized: boolean }

/** Address, keys and TLS of a caller. Without a server key answers are not verified. */
export type CallerConfig = {
  url: URL
  inquiryUrl: URL
  clientId: string
  key: KeyObject
  keyVersion: string
  serverKey: KeyObject | undefined
  tls: Tls
}

/** A signed request. */
export type OutgoingRequest = { url: URL; headers: Record<string, string>; body: Buffer }

/** What became of a request. Header names are in lower case. */
export type Reply =
  | {
      kind: 'ANSWERED'
      httpStatus: number
      headers: Record<string, string>
      body: Buffer
      signature: SignatureVerdict
    }
  | { kind: 'TIMED_OUT'; afterMs: number }
  | { kind: 'DROPPED'; reason: string }

export type Exchange = { request: OutgoingRequest; reply: Reply; tookMs: number }

/** How long Alipay+ waits for an answer: to order-type calls, and to most others (PROTOCOL.md). */
export const answerTimeouts = { placeMs: 8_000, inquireMs: 5_000 }

/** An answer has some hundred bytes; a larger one than this is dropped. */
export const ANSWER_BYTES_MAX = 1_048_576

/** Path and query, as in the request line and the signed text. */
export const requestTarget = (url: URL): string => `${url.pathname}${url.search}`

/**
 * Signs a body for a URL.
 *
 * @param now ms since 1970, for Request-Time
 */
export async function signRequest(
  { clientId, key, keyVersion }: Pick<CallerConfig, 'clientId' | 'key' | 'keyVersion'>,
  url: URL,
  body: Buffer,
  now = Date.now(),
): Promise<OutgoingRequest> {
  const time = formatTime(now)
  const signature = await sign(signedText(requestTarget(url), clientId, time, body), key)
  return {
    url,
    headers: {
      'Content-Type': 'application/json; charset=UTF-8',
      'Client-Id': clientId,
      'Request-Time': time,
      Signature: formatSignatureHeader(keyVersion, signature),
    },
    body,
  }
}

/** Calls an acquirer over connections of its own. */
export class PlaceOrderClient {
  readonly config: CallerConfig
  readonly #timeouts: typeof answerTimeouts
  readonly #agent: Agent

  constructor(config: CallerConfig, timeouts = answerTimeouts) {
    this.config = config
    this.#timeouts = timeouts
    this.#agent = new Agent({
      connect: { ...config.tls },
      maxResponseSize: ANSWER_BYTES_MAX,
      pipelining: 1,
    })
  }

  /** Signs a body and sends it to placeOrder, once. */
  async place(body: Buffer, signal?: AbortSignal): Promise<Exchange> {
    return this.send(
      await signRequest(this.config, this.config.url, body),
      this.#timeouts.placeMs,
      signal,
    )
  }

  /** Sends one inquiry after an order. */
  async inquire(
    order: { acquirerId: string; pspId: string; paymentId: string },
    signal?: AbortSignal,
  ): Promise<Exchange> {
    const { acquirerId, pspId, paymentId } = order
    const body = Buffer.from(JSON.stringify({ acquirerId, pspId, paymentId }))
    return this.send(
      await signRequest(this.config, this.config.inquiryUrl, body),
      this.#timeouts.inquireMs,
      signal,
    )
  }

  /**
   * Sends a request and waits for its answer at most `timeoutMs`; then it drops the connection, as
   * Alipay+ does. Failures are values; it throws only when `signal` is aborted.
   */
  async send(signed: OutgoingRequest, timeoutMs: number, signal?: AbortSignal): Promise<Exchange> {
    const startedAt = performance.now()
    const timeout = AbortSignal.timeout(timeoutMs)
    const reply = await this.#fetch(
      signed,
      signal ? AbortSignal.any([signal, timeout]) : timeout,
    ).catch((error): Reply => {
      signal?.throwIfAborted()
      if (timeout.aborted) return { kind: 'TIMED_OUT', afterMs: timeoutMs }
      return { kind: 'DROPPED', reason: errorReason(error) }
    })
    return { request: signed, reply, tookMs: performance.now() - startedAt }
  }

  async #fetch({ url, headers, body }: OutgoingRequest, signal: AbortSignal): Promise<Reply> {
    const answer = await request(url, {
      method: 'POST',
      headers,
      body,
      signal,
      dispatcher: this.#agent,
      headersTimeout: 0, // The signal bounds the whole exchange.
      bodyTimeout: 0,
    })
    const answered = {
      headers: singleHeaders(answer.headers),
      body: Buffer.from(await answer.body.arrayBuffer()),
    }
    return {
      kind: 'ANSWERED',
      httpStatus: answer.statusCode,
      ...answered,
      signature: checkSignature(
        { target: requestTarget(url), clientId: this.config.clientId, ...answered },
        this.config.serverKey,
      ),
    }
  }

  /** Drops requests in flight and closes the connections. */
  async close(): Promise<void> {
    await this.#agent.destroy()
  }
}

type RawHeaders = Record<string, string | string[] | undefined>

/** Headers with names in lower case; a name that occurs several times has its values joined. */
export function singleHeaders(headers: RawHeaders): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name.toLowerCase(), [value].flat().join(', ')]],
    ),
  )
}

/**
 * Why a connection failed: Node puts the message into `cause`, or into the error of each address.
 */
export function errorReason(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error instanceof AggregateError && error.errors.length > 0)
    return errorReason(error.errors[0])
  if (error.cause instanceof Error) return errorReason(error.cause)
  return error.message
}

/** Why there is no answer. */
export function noAnswerText(reply: Exclude<Reply, { kind: 'ANSWERED' }>): string {
  return reply.kind === 'TIMED_OUT'
    ? `no answer within ${reply.afterMs} ms`
    : `no answer: ${reply.reason}`
}
