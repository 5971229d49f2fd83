import type { LimitUse } from '@placeorder/decision'
import type { LimitUsage } from '@placeorder/store'
import type { Metrics } from '@placeorder/telemetry'

/** The name of each kind of limit in policy.json. */
const kindOf = { merchant: 'merchantDay', customer: 'customerDay' } as const

/**
 * Counters read in one round. Of busier rounds only a part is read, but a limit that fills up is
 * used often enough to be in it. One HMGET of so many fields takes Redis about a millisecond.
 */
const COUNTERS_MAX = 1_000

/**
 * The used share of the most used limit of each kind today. Deciding only notes which limits were
 * used; their counters are read now and then, since what a day has used only grows.
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

  /** Notes that an order has used a limit. Costs no more than an assignment. */
  note(use: LimitUse): void {
    this.#noted[this.#next % COUNTERS_MAX] = use
    this.#next += 1
  }

  /**
   * Reads the counters of the limits noted since the last time, and sets the gauge. `day` is today,
   * yyyymmdd in the limits' time zone.
   */
  async refresh(day: string): Promise<void> {
    const byCounter = new Map(
      this.#noted.map((use) => [`${use.subject} ${use.currency} ${use.id}`, use]),
    )
    this.#noted = []
    this.#next = 0
    if (day !== this.#day) this.#ratios = { merchantDay: 0, customerDay: 0 }
    this.#day = day
    const limitUses = [...byCounter.values()].filter((use) => use.day === day)
    const used = await this.#usage.usedOf(limitUses)
    for (const [i, use] of limitUses.entries()) {
      const kind = kindOf[use.subject]
      const { amount = 0n, count = 0n } = used[i] ?? {}
      const ratios = [ratioOf(amount, use.amountMax), ratioOf(count, use.countMax)]
      this.#ratios[kind] = Math.max(this.#ratios[kind], ...ratios)
    }
    for (const [kind, ratio] of Object.entries(this.#ratios)) this.#gauge.set({ kind }, ratio)
  }
}

/** To four decimal places; a limit of 0 counts as used up. */
function ratioOf(used: bigint, max: bigint | number | undefined): number {
  if (max === undefined) return 0
  return BigInt(max) === 0n ? 1 : Number((used * 10_000n) / BigInt(max)) / 10_000
}
