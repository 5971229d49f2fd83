import { type OrderNames, type Orders, orderIdOf } from '@placeorder/store'
import type { DurabilitySource, Logger } from '@placeorder/telemetry'
import { before, type Deadlines } from './deadlines.ts'

/** How often Redis is looked at, in ms. */
const LOOK_MS = 1_000

export type NewOrdersDeps = {
  durability: DurabilitySource
  orders: Pick<Orders, 'record'>
  /** With `strict`, a Redis that is seen not to be durable gets no new orders. */
  mode: 'strict' | 'relaxed'
  deadlines: Deadlines
  waitMs: number
  log: Pick<Logger, 'error' | 'info'>
}

/**
 * Refuses new orders while Redis is seen not to keep them: its configuration, its memory, or its role forbid it. Those that were
 * claimed before are served as ever. A Redis that does not answer, or hides its configuration, is not seen to be anything.
 */
export class NewOrders {
  readonly #deps: NewOrdersDeps
  #refused: string | undefined
  #looking: NodeJS.Timeout | undefined

  constructor(deps: NewOrdersDeps) {
    this.#deps = deps
  }

  /** Looks at Redis now, and again every second until `close`. */
  async look(): Promise<void> {
    const { durability, mode } = this.#deps
    const known = await durability.report().catch(() => undefined)
    if (known !== undefined) {
      const against = mode === 'strict' ? known.faults : []
      this.#set([...known.unable, ...against].join('; ') || undefined)
    }
    this.#looking = setTimeout(() => void this.look(), LOOK_MS).unref()
  }

  /** Why an order is refused; undefined for one that was claimed before, and while new orders are accepted. */
  async refusalOf(names: OrderNames): Promise<string | undefined> {
    const refused = this.#refused
    if (refused === undefined) return undefined
    const { orders, deadlines, waitMs } = this.#deps
    const record = await deadlines.within(waitMs, (signal) =>
      before(orders.record(orderIdOf(names)), signal),
    )
    return record === undefined ? `no new orders: ${refused}` : undefined
  }

  #set(refused: string | undefined): void {
    if (refused === this.#refused) return
    this.#refused = refused
    const { log, mode } = this.#deps
    if (refused === undefined) log.info('Redis keeps orders again: new ones are accepted')
    else
      log.error(
        { reason: refused, DURABILITY: mode },
        'NEW ORDERS ARE REFUSED: this Redis would not keep them; correct what the reason names',
      )
  }

  close(): void {
    clearTimeout(this.#looking)
  }
}
