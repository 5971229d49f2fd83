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
import type { Keys } from './keys.ts'
import {
  acquirerId,
  clientId,
  type Kept,
  type Orders,
  openMs,
  referenceBehaviours,
  type Ways,
} from './reference-behaviours.ts'

/** How the small acquirer treats one request: answers a code, and goes wrong on purpose. */
export type Behaviour = {
  code?: ResultCode
  /** Never answers. */
  hang?: boolean
  /** Cuts the connection instead of answering; an order is taken in nevertheless. */
  drop?: boolean
  /** Acts before the order is taken in. */
  forget?: boolean
  unsigned?: boolean
  /** Signs something else. */
  wrongSignature?: boolean
  httpStatus?: number
  delayMs?: number
}

export type Seen = {
  kind: 'place' | 'inquire'
  paymentId: string
  body: Buffer
  signature: string
  at: number
}

const PLACE = '/aps/api/v1/payments/placeOrder'
const INQUIRE = '/aps/api/v1/payments/inquiryOrder'

export { clientId }

const BODY_BYTES_MAX = 65_536

type Options = { tls?: https.ServerOptions; ways?: Partial<Ways> }
type LooseAnswer = { told: object; behaviour: Behaviour; paymentId?: string }

/** An acquirer in memory that keeps the contract, except where `behave` or one of its ways says otherwise. */
export class SmallAcquirer implements AsyncDisposable {
  /** Every request whose signature was right, in the order of arrival. */
  readonly seen: Seen[] = []
  readonly orders: Orders = new Map()
  readonly #keys: Keys
  readonly #ways: Ways
  readonly #server: http.Server
  readonly #scheme: string
  /** Decides how the n-th request (from 0) about an order is treated. */
  behave: (seen: Seen, nth: number) => Behaviour = () => ({})

  constructor(keys: Keys, { tls, ways }: Options = {}) {
    this.#keys = keys
    this.#ways = { ...referenceBehaviours, ...ways }
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
    const { told, behaviour, paymentId } = await this.#tell(request, body).catch(
      (error): LooseAnswer => {
        if (!(error instanceof Refusal)) throw error
        return { told: answer(error.code), behaviour: {} }
      },
    )
    if (paymentId !== undefined) {
      response.once('close', () => {
        if (!response.writableFinished) this.#ways.dropped(this.orders, paymentId)
      })
    }
    if (behaviour.hang) return
    if (behaviour.drop) return void request.socket.destroy()
    await this.#answer(request, response, told, behaviour)
  }

  async #tell(request: IncomingMessage, body: Buffer): Promise<LooseAnswer> {
    const { pathname } = new URL(request.url ?? '/', 'http://any')
    if (pathname !== PLACE && pathname !== INQUIRE)
      throw new Refusal('NO_INTERFACE_DEF', 'no such path')
    if (request.method !== 'POST') throw new Refusal('METHOD_NOT_SUPPORTED', 'only POST')
    this.#ways.media(request.headers['content-type'], request.headers.accept)
    const signature = this.#verify(request, body)
    const kind = pathname === INQUIRE ? 'inquire' : 'place'
    const message = kind === 'inquire' ? this.#ways.parseInquiry(body) : this.#ways.parse(body)
    if (message.acquirerId !== acquirerId) throw new Refusal('ACCESS_DENIED', 'another acquirer')
    const { paymentId } = message
    const seen = { kind, paymentId, body, signature, at: performance.now() } as const
    const nth = this.seen.filter((earlier) => earlier.paymentId === paymentId).length
    this.seen.push(seen)
    const behaviour = this.behave(seen, nth)
    if (behaviour.hang) return { told: {}, behaviour }
    const told =
      kind === 'inquire'
        ? this.#ways.inquired(this.orders, message)
        : await this.#place(body, behaviour)
    return { told, behaviour, paymentId }
  }

  #verify(request: IncomingMessage, body: Buffer): string {
    const { rawHeaders, url: target = '/' } = request
    const [client, time, signature] = ['Client-Id', 'Request-Time', 'Signature'].map((name) => {
      const [value, ...more] = this.#ways.header(rawHeaders, name)
      if (!value || more.length > 0)
        throw new Refusal('PARAM_ILLEGAL', `${name} must be there once`)
      return value
    })
    const header = this.#ways.signature(signature ?? '')
    if (header === undefined || !this.#ways.isTime(time ?? '') || body.length > BODY_BYTES_MAX)
      throw new Refusal('PARAM_ILLEGAL', 'a header has not its form, or the body is too large')
    if (client !== clientId) throw new Refusal('INVALID_CLIENT', 'unknown')
    if (header.keyVersion !== undefined && header.keyVersion !== '1')
      throw new Refusal('KEY_NOT_FOUND', 'unknown')
    const signed = this.#ways.verified({ target, body })
    const text = signedText(signed.target, client, time ?? '', signed.body)
    const isRsa = header.algorithm.toUpperCase() === 'RSA256'
    if (!isRsa || !this.#ways.isSigned(text, this.#keys.callerPublic, header.signature))
      throw new Refusal('INVALID_SIGNATURE', 'wrong')
    return signature ?? ''
  }

  async #place(body: Buffer, { code, forget = false }: Behaviour): Promise<object> {
    const order = this.#ways.parse(body)
    const { paymentId } = order
    const terms = this.#ways.terms(order, body)
    if (forget) return answer(code ?? 'SUCCESS', `R${paymentId}`)
    const now = Date.now()
    const fresh = (): Kept => ({
      order,
      terms,
      paymentRequestId: order.paymentRequestId ?? `R${paymentId.slice(-63)}`,
      outcome: code ?? this.#ways.judge(order, this.orders),
      claimedAt: now,
      openUntil: now + openMs(order),
    })
    const kept = await this.#ways.take(this.orders, paymentId, fresh)
    if (kept.terms !== terms) return this.#ways.inconsistent(this.orders, kept, { order, terms })
    if (code !== undefined && !isFinal(kept.outcome)) kept.outcome = code
    else if (!isFinal(kept.outcome)) kept.outcome = this.#ways.judge(order, this.orders)
    return this.#ways.told(kept)
  }

  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    told: object,
    behaviour: Behaviour,
  ): Promise<void> {
    const delayMs = behaviour.delayMs ?? this.#ways.delayMs(told)
    if (delayMs > 0) await pause(delayMs)
    const body = this.#ways.bytes(told)
    const client = this.#ways.addressee(String(request.headers['client-id']))
    const time = formatTime(Date.now())
    const target = behaviour.wrongSignature ? '/elsewhere' : (request.url ?? '/')
    const text = signedText(target, client, time, this.#ways.signedBytes(body))
    const signature = formatSignatureHeader('1', await sign(text, this.#keys.acquirer))
    const headers = {
      'Content-Type': 'application/json; charset=UTF-8',
      'Content-Length': `${body.length}`,
      'Client-Id': client,
      'Response-Time': time,
      ...(behaviour.unsigned ? {} : { Signature: signature }),
    }
    const status = behaviour.httpStatus ?? this.#ways.httpStatus(told)
    response.writeHead(status, this.#ways.answerHeaders(headers, told)).end(body)
  }
}
