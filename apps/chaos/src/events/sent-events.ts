import { OrderEvent } from '@placeorder/events'
import { orderIdOf } from '@placeorder/store'
import type { SentEvent, SinkHistory } from '../history/check-events.ts'

/** Notes what a sink is sent. */
export class SentEvents {
  readonly #sink: string
  readonly #events = new Map<string, SentEvent>()
  /** The ids of events that need not be sent again. */
  readonly taken = new Set<string>()
  readonly #unverified: string[] = []

  constructor(sink: string) {
    this.#sink = sink
  }

  get history(): SinkHistory {
    return { sink: this.#sink, events: [...this.#events.values()], unverified: this.#unverified }
  }

  /** Notes events; `taken` if they need not be sent again. */
  note(events: readonly OrderEvent[], taken: boolean): void {
    for (const { id, type, data } of events) {
      const { paymentRequestId, result } = data
      const sent = { id, type, orderId: orderIdOf(data), code: result.resultCode, paymentRequestId }
      const key = JSON.stringify(sent)
      const before = this.#events.get(key)?.taken ?? false
      this.#events.set(key, { ...sent, taken: before || taken })
      if (taken) this.taken.add(id)
    }
  }

  /** Notes a request that no event could be taken from. */
  noteUnverified(why: string): void {
    this.#unverified.push(why)
  }

  /** The event, or the batch of events, in a text; undefined, and noted, if there is none. */
  parse(text: string): OrderEvent[] | undefined {
    const parsed = OrderEvents.safeParse(JSON.parse(text))
    if (!parsed.success) this.noteUnverified(`not an event: ${text}`)
    return parsed.data
  }
}

const OrderEvents = OrderEvent.array().or(OrderEvent.transform((event) => [event]))
