import { randomInt } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { newPaymentId } from '../cli/sample-order.ts'
import { checkSignature } from '../client/answer-signature.ts'
import { type Reply, targetOf, type Who } from '../client/caller.ts'
import { UnmetPrecondition } from './case.ts'
import { type Fixture, patched } from './fixtures.ts'
import { type LooseAnswer, looseAnswer, looseInquiryAnswer } from './loose-answer.ts'
import { type Make, makeRequest } from './make-request.ts'
import { bytesOf, type Change, changed, type Fields } from './order.ts'
import {
  drop,
  type Endpoint,
  exchange,
  type HttpConnection,
  openConnection,
  type Recorded,
  type Sent,
} from './wire.ts'

/** What is the same for all cases of a run. */
export type Setting = {
  who: Who
  sample: Fields
  /** By when an answer must be there, in ms: 5 s (PROTOCOL.md), shorter only to test the cases themselves. */
  answerWithinMs: number
  /** How long an order that is answered U may stay open before a case gives up, in ms. */
  finalWithinMs: number
  /** The first order of the run, and what was told of it. */
  first: { order: Fields; told: LooseAnswer }
}

/** Alipay+ waits 8 s where an answer is due in 5. */
const PATIENCE = 8 / 5

/** Between repeats of an order that is open, in ms; a run has no time for Alipay+'s schedule. */
const REPEAT_MS = 250

/** How a request differs from an ordinary one. */
export type Way = Make & { connection?: HttpConnection }

/** What one case works with: it makes orders, sends them, and keeps what went over the wire. */
export class CaseContext {
  readonly recorded: Recorded[] = []
  readonly setting: Setting
  /** How many orders of the fixture may be placed before its state is there. */
  readonly after: number
  readonly #of: string
  readonly #sample: Fields
  readonly #connections: HttpConnection[] = []

  /** Works for the case `of`; its fixture changes the sample. */
  constructor(of: string, setting: Setting, fixture: Fixture = { order: {}, after: 0 }) {
    this.#of = of
    this.setting = setting
    this.after = fixture.after
    this.#sample = patched(setting.sample, fixture.order)
  }

  /** A new order like the sample: nobody knows its paymentId, and no limit its customer. */
  order(...changes: readonly Change[]): Fields {
    const customer =
      this.#sample.customerId === undefined ? {} : { customerId: `C${randomInt(1e12)}` }
    return changed({ ...this.#sample, ...customer, paymentId: newPaymentId() }, ...changes)
  }

  /** Sends an order once. */
  async send(order: Fields | Buffer, way: Way = {}): Promise<LooseAnswer> {
    return looseAnswer(await this.#exchange('place', order, way))
  }

  /** Sends an order until it is final, or has been open for too long; a U is no answer to what a case asks. */
  async place(order: Fields | Buffer, way: Way = {}): Promise<LooseAnswer> {
    return this.#untilFinal(() => this.send(order, way))
  }

  /**
   * Places an order, as the first part of a case.
   *
   * @throws UnmetPrecondition when it is not placed
   */
  async placed(order: Fields | Buffer, way: Way = {}): Promise<LooseAnswer> {
    const told = await this.place(order, way)
    if (told.code !== 'SUCCESS')
      throw new UnmetPrecondition(`the order itself was answered ${told.code}`)
    return told
  }

  /** Places an order so many times, one after the other. */
  async inTurn(order: Fields, times: number, way: Way = {}): Promise<LooseAnswer[]> {
    const told: LooseAnswer[] = []
    for (let at = 0; at < times; at += 1) told.push(await this.place(order, way))
    return told
  }

  /** Places orders at the same moment, each over a connection of its own; all are signed before the first is sent. */
  async atOnce(orders: readonly Fields[]): Promise<LooseAnswer[]> {
    const made = await Promise.all(
      orders.map(async (order) => ({ order, sent: await this.made(order) })),
    )
    return Promise.all(
      made.map(async ({ order, sent }) => {
        const told = await this.sendMade(sent)
        return told.status === 'U' ? this.place(order) : told
      }),
    )
  }

  /** Asks once how an order stands. */
  async inquire(order: Fields, way: Way = {}): Promise<LooseAnswer> {
    const { acquirerId, pspId, paymentId } = order
    const inquiry = { acquirerId, pspId, paymentId }
    return looseInquiryAnswer(
      await this.#exchange('inquire', inquiry, { url: this.setting.who.inquiryUrl, ...way }),
    )
  }

  /** Asks until the order is final, or has been open for too long. */
  async inquireFinal(order: Fields): Promise<LooseAnswer> {
    return this.#untilFinal(() => this.inquire(order))
  }

  /** Sends an order, or half of it, and drops the connection at once. */
  async drop(order: Fields, part: 'ALL' | 'HALF'): Promise<void> {
    const { who } = this.setting
    const sent = await makeRequest(bytesOf(order), {}, who)
    const startedAt = performance.now()
    await drop(sent, part, { tls: who.tls })
    const reason = `dropped by us when ${part === 'ALL' ? 'all' : 'half'} was sent`
    this.#record('elsewhere', sent, { kind: 'DROPPED', reason }, startedAt)
  }

  /** A request like any other, ready to be sent as it is, as often as wanted. */
  async made(order: Fields, make: Make = {}): Promise<Sent> {
    return makeRequest(bytesOf(order), make, this.setting.who)
  }

  /** Sends what was made before, once. */
  async sendMade(sent: Sent): Promise<LooseAnswer> {
    return looseAnswer(await this.#send('place', sent, {}))
  }

  /** A connection that requests may share; it lives as long as the case. */
  connection(): HttpConnection {
    const { url, tls } = this.setting.who
    const opened = openConnection(url, tls)
    this.#connections.push(opened)
    return opened
  }

  close(): void {
    for (const { close } of this.#connections) close()
  }

  async #untilFinal(ask: () => Promise<LooseAnswer>): Promise<LooseAnswer> {
    const until = performance.now() + this.setting.finalWithinMs
    let told = await ask()
    while (told.status === 'U' && performance.now() < until) {
      await pause(REPEAT_MS)
      told = await ask()
    }
    return told
  }

  async #exchange(endpoint: Endpoint, message: Fields | Buffer, way: Way): Promise<Reply> {
    const sent = await makeRequest(bytesOf(message), way, this.setting.who)
    return this.#send(this.#isProtocol(sent) ? endpoint : 'elsewhere', sent, way)
  }

  /** Answers elsewhere than to a POST on one of the two paths are promised by nobody. */
  #isProtocol({ method, url }: Sent): boolean {
    const { who } = this.setting
    return (
      method === 'POST' &&
      [who.url, who.inquiryUrl].some(({ pathname }) => pathname === url.pathname)
    )
  }

  async #send(endpoint: Endpoint, sent: Sent, { connection }: Way): Promise<Reply> {
    const { who, answerWithinMs } = this.setting
    const startedAt = performance.now()
    const timeoutMs = answerWithinMs * PATIENCE
    const reply = await exchange(sent, { timeoutMs, tls: who.tls, connection })
    return this.#record(endpoint, sent, this.#verified(sent, reply), startedAt)
  }

  #record(endpoint: Endpoint, sent: Sent, reply: Reply, startedAt: number): Reply {
    this.recorded.push({
      of: this.#of,
      endpoint,
      sent,
      reply,
      tookMs: performance.now() - startedAt,
    })
    return reply
  }

  /** The answer names the caller as the request did; where the request did not, or twice, the answer's word is taken. */
  #verified(sent: Sent, reply: Reply): Reply {
    if (reply.kind !== 'ANSWERED') return reply
    const named = sent.headers.filter(([name]) => name.toLowerCase() === 'client-id')
    const clientId = (named.length === 1 ? named[0]?.[1] : reply.headers['client-id']) ?? ''
    const signature = checkSignature(
      { target: targetOf(sent.url), clientId, headers: reply.headers, body: reply.body },
      this.setting.who.serverKey,
    )
    return { ...reply, signature }
  }
}
