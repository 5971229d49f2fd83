import { type PlaceOrderRequest, termsOf } from '@placeorder/protocol'
import { orderIdOf } from '@placeorder/store'
import { otherAcquirerId, type System, signedCall } from '@placeorder/testkit'
import { z } from 'zod'
import { type CallEnding, History, type RecordedCall } from './history/history.ts'

/**
 * An ingress that requests can be sent to. `connecting` counts the calls that were not sent yet.
 */
export type IngressTarget = { name: string; origin: string; connecting: number }

/** Alipay+ aborts a call after this time (ms). */
const CALL_MS_MAX = 8_000

const OrderResult = z.object({ orderResult: z.object({ resultCode: z.string() }) })

/** Calls as Alipay+ does, and records in the history how each call ended. */
export class Callers {
  readonly #callers: Pick<System, 'caller' | 'otherCaller'>
  readonly #history: History
  #inFlight = 0

  constructor(callers: Pick<System, 'caller' | 'otherCaller'>, history: History) {
    this.#callers = callers
    this.#history = history
  }

  get inFlight(): number {
    return this.#inFlight
  }

  /** Sends an order. With `dropAfterMs` the caller drops the connection after that time. */
  place(
    order: PlaceOrderRequest,
    ingress: IngressTarget,
    dropAfterMs?: number,
  ): Promise<CallEnding> {
    const url = `${ingress.origin}/aps/api/v1/payments/placeOrder`
    const call = {
      endpoint: 'place',
      orderId: orderIdOf(order),
      ingress: ingress.name,
      terms: termsOf(order),
    } as const
    return this.#call(call, ingress, url, order, dropAfterMs)
  }

  inquire(
    { acquirerId, pspId, paymentId }: PlaceOrderRequest,
    ingress: IngressTarget,
  ): Promise<CallEnding> {
    const url = `${ingress.origin}/aps/api/v1/payments/inquiryOrder`
    const call = {
      endpoint: 'inquire',
      orderId: orderIdOf({ acquirerId, paymentId }),
      ingress: ingress.name,
      terms: '',
    } as const
    return this.#call(call, ingress, url, { acquirerId, pspId, paymentId })
  }

  async #call(
    call: Omit<RecordedCall, 'sentAt' | 'endedAt' | 'ending'>,
    ingress: IngressTarget,
    url: string,
    message: Pick<PlaceOrderRequest, 'acquirerId' | 'pspId' | 'paymentId'>,
    dropAfterMs?: number,
  ): Promise<CallEnding> {
    const { caller: ours, otherCaller } = this.#callers
    const caller = message.acquirerId === otherAcquirerId ? otherCaller : ours
    const dropping = new AbortController()
    let sentAt: number | undefined
    let timer: NodeJS.Timeout | undefined
    const onSend = () => {
      ingress.connecting -= 1
      sentAt = History.now()
      timer = setTimeout(() => dropping.abort(), dropAfterMs ?? CALL_MS_MAX)
    }
    const startedAt = History.now()
    this.#inFlight += 1
    ingress.connecting += 1
    try {
      const answer = await signedCall(url, message, caller, { signal: dropping.signal, onSend })
      const { status, verified, code, paymentRequestId, body, tookMs } = answer
      const orderCode = OrderResult.safeParse(body).data?.orderResult.resultCode
      const ending: CallEnding = {
        kind: 'ANSWERED',
        status,
        verified,
        code,
        orderCode,
        paymentRequestId,
      }
      const from = sentAt ?? startedAt
      this.#history.called({ ...call, sentAt: from, endedAt: from + tookMs, ending })
      return ending
    } catch (error) {
      const ending: CallEnding =
        sentAt === undefined
          ? { kind: 'REFUSED' }
          : endingOf(error, dropping.signal.aborted, dropAfterMs !== undefined)
      this.#history.called({ ...call, sentAt: sentAt ?? startedAt, endedAt: History.now(), ending })
      return ending
    } finally {
      clearTimeout(timer)
      if (sentAt === undefined) ingress.connecting -= 1
      this.#inFlight -= 1
    }
  }
}

function endingOf(error: unknown, isDropped: boolean, onPurpose: boolean): CallEnding {
  if (isDropped) return { kind: onPurpose ? 'DROPPED' : 'SILENT' }
  return { kind: 'BROKEN', why: error instanceof Error ? error.message : String(error) }
}
