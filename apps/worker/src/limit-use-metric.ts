import type { LimitUse } from '@placeorder/decision'
import type { LimitUsage } from '@placeorder/store'
import type { Metrics } from '@placeorder/telemetry'

/** What a limit's name is in policy.json. */
const kindOf = { merchant: 'merchantDay', customer: 'customerDay' } as const

/**
 * Counters looked at in one round: of busier rounds a part, and one that fills up is taken from often enough to be
 * in it. One HMGET of so many fields takes Redis about a millisecond.
 */
const COUNTERS_MAX = 1_000

/**
 * How far the most used limit of each kind is used today. Deciding only notes what was taken from; how much of it is
 * left is looked up now and then, since what a day has used only grows.
 */
export class LimitUseMetric {
  readonly #usage: Pick<LimitUsage, 'usedOf'>
  readonly #gauge: Metrics['limitUsed']
  #noted: LimitUse[] = []
  #next = 0
  #day = ''
  #ratios = { merchantDay: 0, customerDay: 0 }

  constructor(usage: Pick<LimitUsage, 'usedOf'>, gauge: Metrics['limitUsed']) {
    this.#usage = usage
    this.#gauge = gauge
  }

  /** Notes what an order has taken from. Costs nothing but an assignment. */
  note(taking: LimitUse): void {
    this.#noted[this.#next % COUNTERS_MAX] = taking
    this.#next += 1
  }

  /** Looks up what was noted since the last time, and says so. `day` is today, yyyymmdd in the limits' time zone. */
  async look(day: string): Promise<void> {
    const byCounter = new Map(
      this.#noted.map((taking) => [`${taking.subject} ${taking.currency} ${taking.id}`, taking]),
    )
    this.#noted = []
    this.#next = 0
    if (day !== this.#day) this.#ratios = { merchantDay: 0, customerDay: 0 }
    this.#day = day
    const limitUses = [...byCounter.values()].filter((taking) => taking.day === day)
    const used = await this.#usage.usedOf(limitUses)
    for (const [i, taking] of limitUses.entries()) {
      const kind = kindOf[taking.subject]
      const { amount = 0n, count = 0n } = used[i] ?? {}
      const ratios = [ratioOf(amount, taking.amountMax), ratioOf(count, taking.countMax)]
      this.#ratios[kind] = Math.max(this.#ratios[kind], ...ratios)
    }
    for (const [kind, ratio] of Object.entries(this.#ratios)) this.#gauge.set({ kind }, ratio)
  }
}

/** To four places; nothing can be taken from a limit of 0, so it is used up. */
function ratioOf(used: bigint, max: bigint | number | undefined): number {
  if (max === undefined) return 0
  return BigInt(max) === 0n ? 1 : Number((used * 10_000n) / BigInt(max)) / 10_000
}
