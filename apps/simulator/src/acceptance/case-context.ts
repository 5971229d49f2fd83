import { randomInt } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { newPaymentId } from '../cli/sample-order.ts'
import { checkSignature } from '../client/answer-signature.ts'
import { type CallerConfig, type Reply, requestTarget } from '../client/place-order-client.ts'
import { type Fixture, patched } from './fixtures.ts'
import { type LooseAnswer, looseAnswer, looseInquiryAnswer } from './loose-answer.ts'
import { makeRequest, type Variation } from './make-request.ts'
import { bytesOf, type Change, changed, type Fields } from './order.ts'
import { UnmetPrecondition } from './precondition.ts'
import {
  drop,
  type Endpoint,
  exchange,
  type HttpConnection,
  openConnection,
  type RawRequest,
  type RecordedExchange,
} from './wire.ts'

/** What is the same for all cases of a run. */
export type Setting = {
  config: CallerConfig
  sample: Fields
  /** The longest time to an answer, in ms: 5 s (PROTOCOL.md), shorter only to test the cases. */
  answerWithinMs: number
  /** For how long a case repeats an order that is answered U, in ms. */
  finalWithinMs: number
  /** The first order of the run, and its answer. */
  first: { order: Fields; answer: LooseAnswer }
}

/** A case waits for an answer longer than permitted, as Alipay+ waits 8 s where 5 are permitted. */
const TIMEOUT_FACTOR = 8 / 5

/** Between repeats of an open order, in ms; Alipay+'s schedule would make a run too long. */
const REPEAT_MS = 250

/** How a request differs from an ordinary one, and its connection. */
export type SendOptions = Variation & { connection?: HttpConnection }

/** What one case works with: makes orders, sends them, and records every exchange. */
export class CaseContext {
  readonly recorded: RecordedExchange[] = []
  readonly setting: Setting
  /** How many orders of the fixture are placed before its state is reached. */
  readonly after: number
  readonly #caseName: string
  readonly #sample: Fields
  readonly #connections: HttpConnection[] = []

  /** The fixture changes the sample. */
  constructor(caseName: string, setting: Setting, fixture: Fixture = { order: {}, after: 0 }) {
    this.#caseName = caseName
    this.setting = setting
    this.after = fixture.after
    this.#sample = patched(setting.sample, fixture.order)
  }

  /** A new order like the sample, with an unused paymentId and a customer without limit usage. */
  order(...changes: readonly Change[]): Fields {
    const customer =
      this.#sample.customerId === undefined ? {} : { customerId: `C${randomInt(1e12)}` }
    return changed({ ...this.#sample, ...customer, paymentId: newPaymentId() }, ...changes)
  }

  /** Sends an order once. */
  async send(order: Fields | Buffer, options: SendOptions = {}): Promise<LooseAnswer> {
    return looseAnswer(await this.#exchange('place', order, options))
  }

  /** Sends an order until its answer is final, or it has been open for too long. */
  async place(order: Fields | Buffer, options: SendOptions = {}): Promise<LooseAnswer> {
    return this.#untilFinal(() => this.send(order, options))
  }

  /**
   * Places an order, as the precondition of a case.
   *
   * @throws UnmetPrecondition when the answer is not SUCCESS
   */
  async placed(order: Fields | Buffer, options: SendOptions = {}): Promise<LooseAnswer> {
    const answer = await this.place(order, options)
    if (answer.code !== 'SUCCESS')
      throw new UnmetPrecondition(`the order itself was answered ${answer.code}`)
    return answer
  }

  /** Places an order so many times, one after the other. */
  async inTurn(order: Fields, times: number, options: SendOptions = {}): Promise<LooseAnswer[]> {
    const answers: LooseAnswer[] = []
    for (let at = 0; at < times; at += 1) answers.push(await this.place(order, options))
    return answers
  }

  /** Places orders at the same moment, each over its own connection; all are signed beforehand. */
  async atOnce(orders: readonly Fields[]): Promise<LooseAnswer[]> {
    const signed = await Promise.all(
      orders.map(async (order) => ({ order, request: await this.prepared(order) })),
    )
    return Promise.all(
      signed.map(async ({ order, request }) => {
        const answer = await this.sendPrepared(request)
        return answer.status === 'U' ? this.place(order) : answer
      }),
    )
  }

  /** Sends one inquiry after an order. */
  async inquire(order: Fields, options: SendOptions = {}): Promise<LooseAnswer> {
    const { acquirerId, pspId, paymentId } = order
    const inquiry = { acquirerId, pspId, paymentId }
    return looseInquiryAnswer(
      await this.#exchange('inquire', inquiry, { url: this.setting.config.inquiryUrl, ...options }),
    )
  }

  /** Inquires until the order is final, or has been open for too long. */
  async inquireFinal(order: Fields): Promise<LooseAnswer> {
    return this.#untilFinal(() => this.inquire(order))
  }

  /** Sends an order, or half of it, and drops the connection at once. */
  async drop(order: Fields, part: 'ALL' | 'HALF'): Promise<void> {
    const { config } = this.setting
    const request = await makeRequest(bytesOf(order), {}, config)
    const startedAt = performance.now()
    await drop(request, part, { tls: config.tls })
    const reason = `dropped by us when ${part === 'ALL' ? 'all' : 'half'} was sent`
    this.#record('none', request, { kind: 'DROPPED', reason }, startedAt)
  }

  /** A signed request that may be sent several times. */
  async prepared(order: Fields, variation: Variation = {}): Promise<RawRequest> {
    return makeRequest(bytesOf(order), variation, this.setting.config)
  }

  /** Sends a prepared request once. */
  async sendPrepared(request: RawRequest): Promise<LooseAnswer> {
    return looseAnswer(await this.#send('place', request, {}))
  }

  /** A connection that requests may share; it is closed at the end of the case. */
  connection(): HttpConnection {
    const { url, tls } = this.setting.config
    const opened = openConnection(url, tls)
    this.#connections.push(opened)
    return opened
  }

  close(): void {
    for (const { close } of this.#connections) close()
  }

  async #untilFinal(send: () => Promise<LooseAnswer>): Promise<LooseAnswer> {
    const until = performance.now() + this.setting.finalWithinMs
    let answer = await send()
    while (answer.status === 'U' && performance.now() < until) {
      await pause(REPEAT_MS)
      answer = await send()
    }
    return answer
  }

  async #exchange(
    endpoint: Endpoint,
    message: Fields | Buffer,
    options: SendOptions,
  ): Promise<Reply> {
    const request = await makeRequest(bytesOf(message), options, this.setting.config)
    return this.#send(this.#isProtocol(request) ? endpoint : 'none', request, options)
  }

  /** The protocol promises an answer only to a POST on one of the two paths. */
  #isProtocol({ method, url }: RawRequest): boolean {
    const { config } = this.setting
    return (
      method === 'POST' &&
      [config.url, config.inquiryUrl].some(({ pathname }) => pathname === url.pathname)
    )
  }

  async #send(
    endpoint: Endpoint,
    request: RawRequest,
    { connection }: SendOptions,
  ): Promise<Reply> {
    const { config, answerWithinMs } = this.setting
    const startedAt = performance.now()
    const timeoutMs = answerWithinMs * TIMEOUT_FACTOR
    const reply = await exchange(request, { timeoutMs, tls: config.tls, connection })
    return this.#record(endpoint, request, this.#verified(request, reply), startedAt)
  }

  #record(endpoint: Endpoint, request: RawRequest, reply: Reply, startedAt: number): Reply {
    this.recorded.push({
      caseName: this.#caseName,
      endpoint,
      request,
      reply,
      tookMs: performance.now() - startedAt,
    })
    return reply
  }

  /**
   * Checks the signature for the request's Client-Id, or the answer's when the request has not one.
   */
  #verified(request: RawRequest, reply: Reply): Reply {
    if (reply.kind !== 'ANSWERED') return reply
    const named = request.headers.filter(([name]) => name.toLowerCase() === 'client-id')
    const clientId = (named.length === 1 ? named[0]?.[1] : reply.headers['client-id']) ?? ''
    const signature = checkSignature(
      { target: requestTarget(request.url), clientId, headers: reply.headers, body: reply.body },
      this.setting.config.serverKey,
    )
    return { ...reply, signature }
  }
}
