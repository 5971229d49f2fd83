import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import {
  answer,
  formatSignatureHeader,
  formatTime,
  InquiryOrderRequest,
  inquiryAnswer,
  orderNotExist,
  PlaceOrderRequest,
  parseBody,
  parseSignatureHeader,
  type ResultCode,
  sign,
  signedText,
  termsOf,
  verify,
} from '@placeorder/protocol'

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

type Kept = { order: PlaceOrderRequest; paymentRequestId: string; outcome: ResultCode; claimedAt: number }
export type Seen = {
  kind: 'place' | 'inquire'
  paymentId: string
  body: Buffer
  signature: string
  at: number
}

/** Keys of a caller and an acquirer, made once a file: a pair takes 100 ms and more. */
export type Keys = {
  caller: KeyObject
  callerPublic: KeyObject
  acquirer: KeyObject
  acquirerPublic: KeyObject
}

export function makeKeys(): Keys {
  const caller = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const acquirer = generateKeyPairSync('rsa', { modulusLength: 2048 })
  return {
    caller: caller.privateKey,
    callerPublic: caller.publicKey,
    acquirer: acquirer.privateKey,
    acquirerPublic: acquirer.publicKey,
  }
}

/** Writes the two keys a caller needs into a folder of their own. */
export async function writeKeys(keys: Keys): Promise<{ key: string; serverKey: string } & AsyncDisposable> {
  const dir = await mkdtemp(join(tmpdir(), 'simulator-'))
  const files = { key: join(dir, 'caller.pem'), serverKey: join(dir, 'acquirer.pub.pem') }
  await writeFile(files.key, keys.caller.export({ type: 'pkcs8', format: 'pem' }))
  await writeFile(files.serverKey, keys.acquirerPublic.export({ type: 'spki', format: 'pem' }))
  return { ...files, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) }
}

const PLACE = '/aps/api/v1/payments/placeOrder'
const INQUIRE = '/aps/api/v1/payments/inquiryOrder'

/** An acquirer in memory that keeps the contract, except where `behave` says otherwise. */
export class SmallAcquirer implements AsyncDisposable {
  /** Every request whose signature was right, in the order of arrival. */
  readonly seen: Seen[] = []
  readonly orders = new Map<string, Kept>()
  readonly #keys: Keys
  readonly #server: http.Server
  readonly #scheme: string
  /** Decides how the n-th request (from 0) about an order is treated. */
  behave: (seen: Seen, nth: number) => Behaviour = () => ({})

  constructor(keys: Keys, tls?: https.ServerOptions) {
    this.#keys = keys
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
    const { pathname } = new URL(request.url ?? '/', 'http://any')
    if (!this.#isSigned(request, body))
      return this.#answer(request, response, answer('INVALID_SIGNATURE'), {})
    const kind = pathname === INQUIRE ? 'inquire' : 'place'
    const schema = kind === 'inquire' ? InquiryOrderRequest : PlaceOrderRequest
    const { paymentId } = parseBody(schema, body)
    const seen: Seen = {
      kind,
      paymentId,
      body,
      signature: String(request.headers.signature),
      at: performance.now(),
    }
    const nth = this.seen.filter((earlier) => earlier.paymentId === paymentId).length
    this.seen.push(seen)
    const behaviour = this.behave(seen, nth)
    if (behaviour.hang) return
    const told = kind === 'inquire' ? this.#inquire(paymentId) : this.#place(body, behaviour)
    if (behaviour.drop) return void request.socket.destroy()
    await this.#answer(request, response, told, behaviour)
  }

  #isSigned(request: IncomingMessage, body: Buffer): boolean {
    const { 'client-id': clientId = '', 'request-time': time = '', signature = '' } = request.headers
    const header = parseSignatureHeader(String(signature))
    const text = signedText(request.url ?? '/', String(clientId), String(time), body)
    return header !== undefined && verify(text, this.#keys.callerPublic, header.signature)
  }

  #place(body: Buffer, { code = 'SUCCESS', forget = false }: Behaviour): object {
    const order = parseBody(PlaceOrderRequest, body)
    const kept = this.orders.get(order.paymentId)
    if (kept && termsOf(kept.order) !== termsOf(order)) return answer('REPEAT_REQ_INCONSISTENT')
    const paymentRequestId = kept?.paymentRequestId ?? `R${order.paymentId}`
    const outcome = kept && answer(kept.outcome).result.resultStatus !== 'U' ? kept.outcome : code
    if (!forget) this.orders.set(order.paymentId, { order, paymentRequestId, outcome, claimedAt: Date.now() })
    return answer(outcome, paymentRequestId)
  }

  #inquire(paymentId: string): object {
    const kept = this.orders.get(paymentId)
    if (kept === undefined) return orderNotExist
    return inquiryAnswer({ ...kept, paymentId, concludedAt: undefined })
  }

  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    told: object,
    behaviour: Behaviour,
  ): Promise<void> {
    const body = Buffer.from(JSON.stringify(told))
    const clientId = String(request.headers['client-id'])
    const time = formatTime(Date.now())
    const target = behaviour.wrongSignature ? '/elsewhere' : (request.url ?? '/')
    const signature = await sign(signedText(target, clientId, time, body), this.#keys.acquirer)
    const headers = {
      'Content-Type': 'application/json; charset=UTF-8',
      'Content-Length': body.length,
      'Client-Id': clientId,
      'Response-Time': time,
    }
    const signed = behaviour.unsigned
      ? headers
      : { ...headers, Signature: formatSignatureHeader('1', signature) }
    const send = () => response.writeHead(behaviour.httpStatus ?? 200, signed).end(body)
    if (behaviour.delayMs === undefined) send()
    else setTimeout(send, behaviour.delayMs)
  }
}
