import assert from 'node:assert/strict'
import { once } from 'node:events'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'
import {
  answer,
  formatSignatureHeader,
  formatTime,
  isFinal,
  Refusal,
  type ResultCode,
  sign,
  signedText,
} from '@placeorder/protocol'
import type { TestKeys } from './keys.ts'
import {
  type AcceptedOrder,
  type AcceptedOrders,
  acquirerId,
  type Behaviours,
  openMs,
  referenceBehaviours,
  testClientId,
} from './reference-behaviours.ts'

/** How the small acquirer answers one request instead of as usual. */
export type ResponseOverride = {
  code?: ResultCode
  /** Answers an inquiry itself with this code, and says nothing of the order. */
  inquiryCode?: ResultCode
  /** Never answers. */
  hang?: boolean
  /** Drops the connection instead of answering; an order is accepted nevertheless. */
  drop?: boolean
  /** Answers without storing the order. */
  forget?: boolean
  unsigned?: boolean
  /** Signs another text. */
  wrongSignature?: boolean
  httpStatus?: number
  delayMs?: number
}

export type AcquirerRequest = {
  kind: 'place' | 'inquire'
  paymentId: string
  body: Buffer
  signature: string
  at: number
}

const PLACE = '/aps/api/v1/payments/placeOrder'
const INQUIRE = '/aps/api/v1/payments/inquiryOrder'

const BODY_BYTES_MAX = 65_536

type AcquirerOptions = { tls?: https.ServerOptions; behaviours?: Partial<Behaviours> }
type Response = { reply: object; behaviour: ResponseOverride; paymentId?: string }

/**
 * An acquirer in memory that keeps the contract, except for `override` and its faulty behaviours.
 */
export class SmallAcquirer implements AsyncDisposable {
  /** Every request with a right signature, in the order of arrival. */
  readonly received: AcquirerRequest[] = []
  readonly orders: AcceptedOrders = new Map()
  readonly #keys: TestKeys
  readonly #behaviours: Behaviours
  readonly #server: http.Server
  readonly #scheme: string
  /** Decides how the n-th request (from 0) about an order is answered. */
  override: (seen: AcquirerRequest, nth: number) => ResponseOverride = () => ({})

  constructor(keys: TestKeys, { tls, behaviours }: AcquirerOptions = {}) {
    this.#keys = keys
    this.#behaviours = { ...referenceBehaviours, ...behaviours }
    this.#scheme = tls === undefined ? 'http' : 'https'
    const handle = (request: IncomingMessage, response: ServerResponse) =>
      void this.#handle(request, response).catch((error) => response.destroy(error))
    this.#server = tls === undefined ? http.createServer(handle) : https.createServer(tls, handle)
  }

  async listen(): Promise<this> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return this
  }

  get port(): number {
    const address: AddressInfo | string | null = this.#server.address()
    assert(address !== null && typeof address === 'object')
    return address.port
  }

  get url(): URL {
    return new URL(`${this.#scheme}://127.0.0.1:${this.port}${PLACE}`)
  }

  get inquiryUrl(): URL {
    return new URL(INQUIRE, this.url)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request)
    const { reply, behaviour, paymentId } = await this.#respond(request, body).catch(
      (error): Response => {
        if (!(error instanceof Refusal)) throw error
        return { reply: answer(error.code), behaviour: {} }
      },
    )
    if (paymentId !== undefined) {
      response.once('close', () => {
        if (!response.writableFinished) this.#behaviours.dropped(this.orders, paymentId)
      })
    }
    if (behaviour.hang) return
    if (behaviour.drop) return void request.socket.destroy()
    await this.#answer(request, response, reply, behaviour)
  }

  async #respond(request: IncomingMessage, body: Buffer): Promise<Response> {
    const { pathname } = new URL(request.url ?? '/', 'http://any')
    if (pathname !== PLACE && pathname !== INQUIRE)
      throw new Refusal('NO_INTERFACE_DEF', 'no such path')
    if (request.method !== 'POST') throw new Refusal('METHOD_NOT_SUPPORTED', 'only POST')
    this.#behaviours.media(request.headers['content-type'], request.headers.accept)
    const signature = this.#verify(request, body)
    const kind = pathname === INQUIRE ? 'inquire' : 'place'
    const message =
      kind === 'inquire' ? this.#behaviours.parseInquiry(body) : this.#behaviours.parse(body)
    if (message.acquirerId !== acquirerId) throw new Refusal('ACCESS_DENIED', 'another acquirer')
    const { paymentId } = message
    const seen = { kind, paymentId, body, signature, at: performance.now() } as const
    const nth = this.received.filter((earlier) => earlier.paymentId === paymentId).length
    this.received.push(seen)
    const behaviour = this.override(seen, nth)
    if (behaviour.hang) return { reply: {}, behaviour }
    const reply =
      kind === 'inquire' ? this.#inquired(message, behaviour) : await this.#place(body, behaviour)
    return { reply, behaviour, paymentId }
  }

  #inquired(
    inquiry: Parameters<Behaviours['inquired']>[1],
    { inquiryCode }: ResponseOverride,
  ): object {
    if (inquiryCode !== undefined) return answer(inquiryCode)
    return this.#behaviours.inquired(this.orders, inquiry)
  }

  #verify(request: IncomingMessage, body: Buffer): string {
    const { rawHeaders, url: target = '/' } = request
    const [client, time, signature] = ['Client-Id', 'Request-Time', 'Signature'].map((name) => {
      const [value, ...more] = this.#behaviours.header(rawHeaders, name)
      if (!value || more.length > 0)
        throw new Refusal('PARAM_ILLEGAL', `${name} must be there once`)
      return value
    })
    const header = this.#behaviours.signature(signature ?? '')
    if (
      header === undefined ||
      !this.#behaviours.isTime(time ?? '') ||
      body.length > BODY_BYTES_MAX
    )
      throw new Refusal('PARAM_ILLEGAL', 'a malformed header, or the body is too large')
    if (client !== testClientId) throw new Refusal('INVALID_CLIENT', 'unknown')
    if (header.keyVersion !== undefined && header.keyVersion !== '1')
      throw new Refusal('KEY_NOT_FOUND', 'unknown')
    const signed = this.#behaviours.verified({ target, body })
    const text = signedText(signed.target, client, time ?? '', signed.body)
    const isRsa = header.algorithm.toUpperCase() === 'RSA256'
    if (!isRsa || !this.#behaviours.isSigned(text, this.#keys.callerPublic, header.signature))
      throw new Refusal('INVALID_SIGNATURE', 'wrong')
    return signature ?? ''
  }

  async #place(body: Buffer, { code, forget = false }: ResponseOverride): Promise<object> {
    const order = this.#behaviours.parse(body)
    const { paymentId } = order
    const terms = this.#behaviours.terms(order, body)
    if (forget) return answer(code ?? 'SUCCESS', `R${paymentId}`)
    const now = Date.now()
    const fresh = (): AcceptedOrder => ({
      order,
      terms,
      paymentRequestId: order.paymentRequestId ?? `R${paymentId.slice(-63)}`,
      outcome: code ?? this.#behaviours.judge(order, this.orders),
      claimedAt: now,
      openUntil: now + openMs(order),
    })
    const stored = await this.#behaviours.store(this.orders, paymentId, fresh)
    if (stored.terms !== terms)
      return this.#behaviours.inconsistent(this.orders, stored, { order, terms })
    if (code !== undefined && !isFinal(stored.outcome)) stored.outcome = code
    else if (!isFinal(stored.outcome)) stored.outcome = this.#behaviours.judge(order, this.orders)
    return this.#behaviours.reply(stored)
  }

  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    reply: object,
    behaviour: ResponseOverride,
  ): Promise<void> {
    const delayMs = behaviour.delayMs ?? this.#behaviours.delayMs(reply)
    if (delayMs > 0) await pause(delayMs)
    const body = this.#behaviours.bytes(reply)
    const client = this.#behaviours.addressee(String(request.headers['client-id']))
    const time = formatTime(Date.now())
    const target = behaviour.wrongSignature ? '/elsewhere' : (request.url ?? '/')
    const text = signedText(target, client, time, this.#behaviours.signedBytes(body))
    const signature = formatSignatureHeader('1', await sign(text, this.#keys.acquirer))
    const headers = {
      'Content-Type': 'application/json; charset=UTF-8',
      'Content-Length': `${body.length}`,
      'Client-Id': client,
      'Response-Time': time,
      ...(behaviour.unsigned ? {} : { Signature: signature }),
    }
    const status = behaviour.httpStatus ?? this.#behaviours.httpStatus(reply)
    response.writeHead(status, this.#behaviours.answerHeaders(headers, reply)).end(body)
  }
}
