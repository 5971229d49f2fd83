import type { KeyObject } from 'node:crypto'
import { formatSignatureHeader, formatTime, sign, signedText } from '@placeorder/protocol'
import { Agent, request } from 'undici'
import { checkSignature, type SignatureVerdict } from './answer-signature.ts'

/** What undici needs for https; `cert` and `key` for mutual TLS. */
export type Tls = { ca?: Buffer; cert?: Buffer; key?: Buffer; rejectUnauthorized: boolean }

/** Who calls whom, and with which keys. Without a server key answers are not verified. */
export type Who = {
  url: URL
  inquiryUrl: URL
  clientId: string
  key: KeyObject
  keyVersion: string
  serverKey: KeyObject | undefined
  tls: Tls
}

/** A request, ready to go. */
export type SignedRequest = { url: URL; headers: Record<string, string>; body: Buffer }

/** What came of a request. Header names are in lower case. */
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

export type Exchange = { request: SignedRequest; reply: Reply; tookMs: number }

/** How long Alipay+ waits for an answer, in ms: for order-type calls, and for most others (PROTOCOL.md). */
export const patience = { placeMs: 8_000, inquireMs: 5_000 }

/** An answer has some hundred bytes; what is larger than this is none. */
const ANSWER_BYTES_MAX = 1_048_576

/** The path and query as they go over the wire, and into the signed text. */
export const targetOf = (url: URL): string => `${url.pathname}${url.search}`

/**
 * Signs a body for a URL, now.
 *
 * @param now ms since 1970, for Request-Time
 */
export async function signRequest(
  { clientId, key, keyVersion }: Pick<Who, 'clientId' | 'key' | 'keyVersion'>,
  url: URL,
  body: Buffer,
  now = Date.now(),
): Promise<SignedRequest> {
  const time = formatTime(now)
  const signature = await sign(signedText(targetOf(url), clientId, time, body), key)
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

/** Calls an acquirer over connections of its own. Close it when done. */
export class Caller {
  readonly who: Who
  readonly #patience: typeof patience
  readonly #agent: Agent

  constructor(who: Who, waits: typeof patience = patience) {
    this.who = who
    this.#patience = waits
    this.#agent = new Agent({
      connect: { ...who.tls },
      maxResponseSize: ANSWER_BYTES_MAX,
      pipelining: 1,
    })
  }

  /** Signs and sends a body to placeOrder, once. */
  async place(body: Buffer, signal?: AbortSignal): Promise<Exchange> {
    return this.send(
      await signRequest(this.who, this.who.url, body),
      this.#patience.placeMs,
      signal,
    )
  }

  /** Asks inquiryOrder, once. */
  async inquire(
    order: { acquirerId: string; pspId: string; paymentId: string },
    signal?: AbortSignal,
  ): Promise<Exchange> {
    const { acquirerId, pspId, paymentId } = order
    const body = Buffer.from(JSON.stringify({ acquirerId, pspId, paymentId }))
    return this.send(
      await signRequest(this.who, this.who.inquiryUrl, body),
      this.#patience.inquireMs,
      signal,
    )
  }

  /**
   * Sends a request and waits for its answer at most `timeoutMs`; then the connection is dropped, as Alipay+ does.
   * What becomes of it is a value; it throws only when `signal` is aborted.
   */
  async send(signed: SignedRequest, timeoutMs: number, signal?: AbortSignal): Promise<Exchange> {
    const startedAt = performance.now()
    const timeout = AbortSignal.timeout(timeoutMs)
    const reply = await this.#fetch(
      signed,
      signal ? AbortSignal.any([signal, timeout]) : timeout,
    ).catch((error): Reply => {
      signal?.throwIfAborted()
      if (timeout.aborted) return { kind: 'TIMED_OUT', afterMs: timeoutMs }
      return { kind: 'DROPPED', reason: reasonOf(error) }
    })
    return { request: signed, reply, tookMs: performance.now() - startedAt }
  }

  async #fetch({ url, headers, body }: SignedRequest, signal: AbortSignal): Promise<Reply> {
    const answer = await request(url, {
      method: 'POST',
      headers,
      body,
      signal,
      dispatcher: this.#agent,
      headersTimeout: 0, // The signal bounds the whole.
      bodyTimeout: 0,
    })
    const answered = {
      headers: single(answer.headers),
      body: Buffer.from(await answer.body.arrayBuffer()),
    }
    return {
      kind: 'ANSWERED',
      httpStatus: answer.statusCode,
      ...answered,
      signature: checkSignature(
        { target: targetOf(url), clientId: this.who.clientId, ...answered },
        this.who.serverKey,
      ),
    }
  }

  /** Drops what is still under way and closes the connections. */
  async close(): Promise<void> {
    await this.#agent.destroy()
  }
}

function single(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, [value].flat().join(', ')]],
    ),
  )
}

/** Node hides the words of a refused connection in the cause, or in the errors of each address it tried. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0])
  if (error.cause instanceof Error) return reasonOf(error.cause)
  return error.message
}
