import { type CallOptions, followOrder } from '../client/call-place-order.ts'
import type { Caller } from '../client/caller.ts'
import type { Ledger } from './ledger.ts'
import { bodyOf, idsOf, type Recipe } from './recipe.ts'

/** Orders followed at once: each costs signatures and connections of the machine that measures. */
const AT_ONCE_MAX = 128

/** How the orders ended that were not final when they were first answered. */
export type Followed = { orders: number; S: number; F: number; open: number; slowestS: number }

export type FollowerOptions = {
  recipe: Recipe
  caller: Pick<Caller, 'place' | 'inquire'>
  ledger: Ledger
  timeFactor: CallOptions['timeFactor']
  signal: AbortSignal
}

/** Does for each order that is open what Alipay+ does: inquires on the schedule, until S or F. */
export class Follower {
  readonly followed: Followed = { orders: 0, S: 0, F: 0, open: 0, slowestS: 0 }
  readonly #options: FollowerOptions
  readonly #waiting: number[] = []
  readonly #lanes = new Set<Promise<void>>()

  constructor(options: FollowerOptions) {
    this.#options = options
  }

  follow(order: number): void {
    this.followed.orders += 1
    this.#waiting.push(order)
    if (this.#lanes.size >= AT_ONCE_MAX) return
    const lane = this.#run().finally(() => this.#lanes.delete(lane))
    this.#lanes.add(lane)
  }

  /** When all are through. What is cut short by the signal counts as open. */
  async done(): Promise<Followed> {
    while (this.#lanes.size > 0) await Promise.all(this.#lanes)
    return this.followed
  }

  async #run(): Promise<void> {
    for (let order = this.#waiting.shift(); order !== undefined; order = this.#waiting.shift())
      await this.#one(order)
  }

  async #one(order: number): Promise<void> {
    const { recipe, caller, ledger, timeFactor, signal } = this.#options
    const startedAt = performance.now()
    const ids = idsOf(recipe, order)
    const call = { body: bodyOf(recipe, { kind: 'new', order }), ids }
    try {
      const { final } = await followOrder(call, caller, {
        timeFactor,
        signal,
        onStep: ({ kind, exchange, heard }) => {
          const toldAt = performance.now()
          const askedAt = toldAt - exchange.tookMs
          ledger.tell(ids.paymentId, kind === 'INQUIRE' ? 'inquiry' : 'repeat', heard, {
            askedAt,
            toldAt,
          })
        },
      })
      this.followed[final?.status ?? 'open'] += 1
    } catch (error) {
      if (!signal.aborted) throw error
      this.followed.open += 1
    }
    this.followed.slowestS = Math.max(
      this.followed.slowestS,
      (performance.now() - startedAt) / 1000,
    )
  }
}
