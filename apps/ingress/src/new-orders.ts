import { type OrderFinder, type OrderNames, orderIdOf } from '@placeorder/store'
import type { DurabilitySource, Logger } from '@placeorder/telemetry'
import { before, type Deadlines } from './deadlines.ts'

/** How often Redis is checked, in ms. */
const CHECK_MS = 1_000

export type NewOrdersDeps = {
  durability: DurabilitySource
  finder: Pick<OrderFinder, 'find'>
  /** With `strict`, new orders are refused while Redis is known not to be durable. */
  mode: 'strict' | 'relaxed'
  deadlines: Deadlines
  waitMs: number
  log: Pick<Logger, 'error' | 'info'>
}

/**
 * Refuses new orders while Redis is known not to keep them, by its configuration, its memory or its
 * role. Orders that were claimed before are served as ever. While Redis does not answer, the last
 * check stands; a hidden configuration is no reason to refuse.
 */
export class NewOrders {
  readonly #deps: NewOrdersDeps
  #refused: string | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(deps: NewOrdersDeps) {
    this.#deps = deps
  }

  /** Checks Redis now, and again every second until `close`. */
  async checkRedis(): Promise<void> {
    const { durability, mode } = this.#deps
    const known = await durability.report().catch(() => undefined)
    if (known !== undefined) {
      const against = mode === 'strict' ? known.faults : []
      this.#set([...known.unable, ...against].join('; ') || undefined)
    }
    this.#timer = setTimeout(() => void this.checkRedis(), CHECK_MS).unref()
  }

  /**
   * Why an order is refused; undefined while new orders are accepted, and for one that was claimed
   * before.
   */
  async refusalOf(names: OrderNames): Promise<string | undefined> {
    const refused = this.#refused
    if (refused === undefined) return undefined
    const { finder, deadlines, waitMs } = this.#deps
    const found = await deadlines.within(waitMs, (signal) =>
      before(finder.find(orderIdOf(names)), signal),
    )
    return found === undefined ? `no new orders: ${refused}` : undefined
  }

  #set(refused: string | undefined): void {
    if (refused === this.#refused) return
    this.#refused = refused
    const { log, mode } = this.#deps
    if (refused === undefined) log.info('new orders are accepted again: Redis keeps them')
    else
      log.error(
        { reason: refused, DURABILITY: mode },
        'NEW ORDERS ARE REFUSED: this Redis would not keep them; fix what the reason names',
      )
  }

  close(): void {
    clearTimeout(this.#timer)
  }
}
