import { type PlaceOrderRequest, termsOf } from '@placeorder/protocol'
import { orderIdOf } from '@placeorder/store'
import { otherAcquirerId, type System, signedCall } from '@placeorder/testkit'
import { z } from 'zod'
import { type Call, type Ending, History } from './history/history.ts'

/** Where requests can be sent. `connecting` counts the calls that are not on their way yet. */
export type IngressTarget = { name: string; origin: string; connecting: number }

/** Alipay+ gives up on an order's call after this time, in ms. */
const CALL_MS_MAX = 8_000

const OrderResult = z.object({ orderResult: z.object({ resultCode: z.string() }) })

/** Calls as Alipay+ does, and notes in the history how each call ended. */
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

  /** Sends an order. With `dropAfterMs` the caller gives up after that time. */
  place(order: PlaceOrderRequest, endpoint: IngressTarget, dropAfterMs?: number): Promise<Ending> {
    const url = `${endpoint.origin}/aps/api/v1/payments/placeOrder`
    const call = {
      endpoint: 'place',
      orderId: orderIdOf(order),
      ingress: endpoint.name,
      terms: termsOf(order),
    } as const
    return this.#call(call, endpoint, url, order, dropAfterMs)
  }

  inquire(
    { acquirerId, pspId, paymentId }: PlaceOrderRequest,
    endpoint: IngressTarget,
  ): Promise<Ending> {
    const url = `${endpoint.origin}/aps/api/v1/payments/inquiryOrder`
    const call = {
      endpoint: 'inquire',
      orderId: orderIdOf({ acquirerId, paymentId }),
      ingress: endpoint.name,
      terms: '',
    } as const
    return this.#call(call, endpoint, url, { acquirerId, pspId, paymentId })
  }

  async #call(
    call: Omit<Call, 'sentAt' | 'endedAt' | 'ending'>,
    endpoint: IngressTarget,
    url: string,
    message: Pick<PlaceOrderRequest, 'acquirerId' | 'pspId' | 'paymentId'>,
    dropAfterMs?: number,
  ): Promise<Ending> {
    const { caller: ours, otherCaller } = this.#callers
    const caller = message.acquirerId === otherAcquirerId ? otherCaller : ours
    const abandoned = new AbortController()
    let sentAt: number | undefined
    let timer: NodeJS.Timeout | undefined
    const onSend = () => {
      endpoint.connecting -= 1
      sentAt = History.now()
      timer = setTimeout(() => abandoned.abort(), dropAfterMs ?? CALL_MS_MAX)
    }
    const startedAt = History.now()
    this.#inFlight += 1
    endpoint.connecting += 1
    try {
      const heard = await signedCall(url, message, caller, { signal: abandoned.signal, onSend })
      const { status, verified, code, paymentRequestId, body, tookMs } = heard
      const orderCode = OrderResult.safeParse(body).data?.orderResult.resultCode
      const ending: Ending = {
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
      const ending: Ending =
        sentAt === undefined
          ? { kind: 'REFUSED' }
          : endingOf(error, abandoned.signal.aborted, dropAfterMs !== undefined)
      this.#history.called({ ...call, sentAt: sentAt ?? startedAt, endedAt: History.now(), ending })
      return ending
    } finally {
      clearTimeout(timer)
      if (sentAt === undefined) endpoint.connecting -= 1
      this.#inFlight -= 1
    }
  }
}

function endingOf(error: unknown, abandoned: boolean, onPurpose: boolean): Ending {
  if (abandoned) return { kind: onPurpose ? 'DROPPED' : 'SILENT' }
  return { kind: 'BROKEN', why: error instanceof Error ? error.message : String(error) }
}
