import { type CallOptions, pollOrder } from '../client/call-place-order.ts'
import type { PlaceOrderClient } from '../client/place-order-client.ts'
import type { Ledger } from './ledger.ts'
import { type OrderTemplate, orderIds, requestBody } from './order-template.ts'

/** Orders polled at once: each costs this machine signatures and connections. */
const AT_ONCE_MAX = 128

/** How the orders ended whose first answer was not final. */
export type PollResults = { orders: number; S: number; F: number; open: number; slowestS: number }

export type PollerOptions = {
  template: OrderTemplate
  client: Pick<PlaceOrderClient, 'place' | 'inquire'>
  ledger: Ledger
  timeFactor: CallOptions['timeFactor']
  signal: AbortSignal
}

/** Inquires after each open order on Alipay+'s schedule, until S or F. */
export class Poller {
  readonly polled: PollResults = { orders: 0, S: 0, F: 0, open: 0, slowestS: 0 }
  readonly #options: PollerOptions
  readonly #waiting: number[] = []
  readonly #running = new Set<Promise<void>>()

  constructor(options: PollerOptions) {
    this.#options = options
  }

  poll(order: number): void {
    this.polled.orders += 1
    this.#waiting.push(order)
    if (this.#running.size >= AT_ONCE_MAX) return
    const running = this.#run().finally(() => this.#running.delete(running))
    this.#running.add(running)
  }

  /** Resolves when all orders are polled. Orders that the signal aborts count as open. */
  async done(): Promise<PollResults> {
    while (this.#running.size > 0) await Promise.all(this.#running)
    return this.polled
  }

  async #run(): Promise<void> {
    for (let order = this.#waiting.shift(); order !== undefined; order = this.#waiting.shift())
      await this.#poll(order)
  }

  async #poll(order: number): Promise<void> {
    const { template, client, ledger, timeFactor, signal } = this.#options
    const startedAt = performance.now()
    const ids = orderIds(template, order)
    const call = { body: requestBody(template, { kind: 'new', order }), ids }
    try {
      const { final } = await pollOrder(call, client, {
        timeFactor,
        signal,
        onStep: ({ kind, exchange, parsed }) => {
          const answeredAt = performance.now()
          const sentAt = answeredAt - exchange.tookMs
          ledger.record(ids.paymentId, kind === 'INQUIRE' ? 'inquiry' : 'repeat', parsed, {
            sentAt,
            answeredAt,
          })
        },
      })
      this.polled[final?.status ?? 'open'] += 1
    } catch (error) {
      if (!signal.aborted) throw error
      this.polled.open += 1
    }
    this.polled.slowestS = Math.max(this.polled.slowestS, (performance.now() - startedAt) / 1000)
  }
}
