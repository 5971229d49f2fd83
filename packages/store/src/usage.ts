import type { Taking } from '@placeorder/decision'
import { type FinalCode, finalCode } from '@placeorder/protocol'
import { z } from 'zod'
import { codeHolderKey, decidedHoursKey, decidedKey, usageKey } from './keys.ts'
import type { Connection } from './redis.ts'
import { Script } from './script.ts'

/** An order as it was judged. What it takes counts only if it passed: `judged` is SUCCESS. */
export type Judged = {
  paymentId: string
  /** In ms. */
  claimedAt: number
  judged: FinalCode
  takings: Taking[]
  /** The order code it is placed with, which then takes no other order. */
  orderCode: string | undefined
}

/** Whose day is counted. */
type Counter = Pick<Taking, 'subject' | 'id' | 'day' | 'currency'>

/** What a day's placed orders add up to; the amount in smallest units. */
export type Used = { amount: bigint; count: bigint }

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/**
 * For how long a day's counters are kept after an order was last counted (ms): the day itself, in any time zone, and
 * a day for an operator to look at them.
 */
const COUNTER_MS = 3 * DAY_MS

/**
 * Decisions are forgotten when no order claimed in their hour or before is open, and not before this time has passed
 * (ms): long after any worker that had such an order in hand has finished or died.
 */
const DECISION_MS_MIN = HOUR_MS

/** What limits and order codes have given to orders. */
export class Usage {
  readonly #reserve = new Script('reserve')
  readonly #connection: Connection

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /**
   * Fixes how orders are decided: those that passed take all they need from limits and codes or, if something stands in
   * the way, nothing. The first decision on a paymentId stands and is given again to every re-run, so an order
   * takes once however often it is judged. Resolves with the final codes, in order.
   */
  async decide(orders: Judged[]): Promise<FinalCode[]> {
    const byHour = Map.groupBy(orders.entries(), ([, order]) => Math.floor(order.claimedAt / HOUR_MS))
    const codes: FinalCode[] = []
    await Promise.all(
      [...byHour].map(async ([hour, entries]) => {
        const decided = await this.#decideHour(
          hour,
          entries.map(([, order]) => order),
        )
        for (const [i, [position]] of entries.entries()) codes[position] = finalCode(decided[i] ?? '')
      }),
    )
    return codes
  }

  async #decideHour(hour: number, orders: Judged[]): Promise<string[]> {
    const places = new Map<string, number>()
    const placeOf = (key: string) => places.get(key) ?? places.set(key, places.size + 1).size
    const args = orders.flatMap(({ paymentId, judged, takings, orderCode }) => {
      const parts = judged === 'SUCCESS' ? partsOf(takings, orderCode) : []
      return [paymentId, judged, parts.length, ...parts.flatMap(({ key, words }) => [placeOf(key), ...words])]
    })
    const keys = [decidedKey(hour), decidedHoursKey, ...places.keys()]
    const reply = await this.#reserve.run(this.#connection, keys, [COUNTER_MS, hour, ...args])
    return z.array(z.string()).parse(reply)
  }

  /** How an order was decided; undefined if it was not yet, or longer ago than decisions are kept. */
  async decisionOn(paymentId: string, claimedAt: number): Promise<FinalCode | undefined> {
    const code = await this.#connection.hget(decidedKey(Math.floor(claimedAt / HOUR_MS)), paymentId)
    return code === null ? undefined : finalCode(code)
  }

  /** What was placed: by a merchant or a customer, on a day, in a currency. */
  async used(taking: Counter): Promise<Used> {
    const [used = readUsed(null)] = await this.usedOf([taking])
    return used
  }

  /** As `used`, of many at once, in the same order. */
  async usedOf(takings: Counter[]): Promise<Used[]> {
    if (takings.length === 0) return []
    const keys = takings.map(({ subject, id, day, currency }) => usageKey(subject, id, day, currency))
    return (await this.#connection.mget(keys)).map(readUsed)
  }

  /** Forgets decisions nobody can ask for any more: `oldestOpen` is the oldest claim time of an open order, `now` is now (ms). */
  async forget(oldestOpen: number, now: number): Promise<void> {
    const before = Math.floor(Math.min(oldestOpen, now - DECISION_MS_MIN) / HOUR_MS)
    const hours = await this.#connection.zrangebyscore(decidedHoursKey, '-inf', `(${before}`)
    for (const hour of hours) {
      await this.#connection.unlink(decidedKey(Number(hour)))
      await this.#connection.zrem(decidedHoursKey, hour)
    }
  }
}

function readUsed(value: string | null): Used {
  const [amount, count] = (value ?? '0 0').split(' ')
  return { amount: BigInt(amount ?? '0'), count: BigInt(count ?? '0') }
}

type Part = { key: string; words: (string | number)[] }

function partsOf(takings: Taking[], orderCode: string | undefined): Part[] {
  const fromLimits = takings.map((taking) => ({
    key: usageKey(taking.subject, taking.id, taking.day, taking.currency),
    words: [String(taking.amount), String(taking.amountMax ?? ''), String(taking.countMax ?? '')],
  }))
  return orderCode === undefined
    ? fromLimits
    : [{ key: codeHolderKey(orderCode), words: ['HOLD', '', ''] }, ...fromLimits]
}
