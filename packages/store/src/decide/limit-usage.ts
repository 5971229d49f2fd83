import type { LimitUse } from '@placeorder/decision'
import type { FinalCode } from '@placeorder/protocol'
import { z } from 'zod'
import {
  codeHolderKey,
  decidedKey,
  decidedMinutesKey,
  digestOf,
  type OrderId,
  steadyTimeKey,
  usageDaysKey,
  usageField,
  usageKey,
} from '../keys.ts'
import { isOutcome, type Outcome, outcomeOf, unreadableOutcome } from '../outcome.ts'
import type { RedisConnection } from '../redis/connection.ts'
import { Script } from '../redis/script.ts'

/** An order as it was judged. What it takes counts only if it passed: `judged` is SUCCESS. */
export type JudgedOrder = {
  orderId: OrderId
  /** In ms. */
  claimedAt: number
  judged: FinalCode
  /** What is passed through to Alipay+ with that code. */
  passThroughInfo?: string | undefined
  limitUses: LimitUse[]
  /** The order code it is placed with, which then takes no other order. */
  orderCode: string | undefined
}

/** Whose day is counted. */
type UsageCounter = Pick<LimitUse, 'subject' | 'id' | 'day' | 'currency'>

/** What a day's placed orders add up to; the amount in smallest units. */
export type UsageTotals = { amount: bigint; count: bigint }

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS

/**
 * Redis's time in ms: what its clock says; and a time that goes on with it but takes part in none of its steps, so that what
 * goes by it is neither early nor forgotten. Both are of some moment not after now.
 */
export type RedisTime = { now: number; steady: number }

/**
 * For how long a day's counters are kept after an order was last counted in them (ms): orders are placed within a day of
 * their claim; two more are for an operator to look at.
 */
const COUNTER_MS = 3 * DAY_MS

/**
 * Orders must be decided within this time of having been seen open (ms). It is what makes forgetting safe: a worker that
 * was stopped for longer, and so may be the last to believe that an order is open, is told to look again.
 */
const DECIDE_MS_MAX = MINUTE_MS

/** Decisions are forgotten when this has passed since the last order of their minute was seen open (ms). */
const FORGET_MS = 2 * DECIDE_MS_MAX

/** So many keys are unlinked in one call. */
const UNLINKED_MAX = 100

/** The time told by Redis is asked for again when it is older than this (ms). */
const TIME_MS_MAX = 1_000

/** A time (ms) that was still to come when `LimitUsage.time` gave this one. */
export const laterThan = ({ now }: RedisTime): number => now + 2 * TIME_MS_MAX

/** What limits and order codes have given to orders. */
export class LimitUsage {
  readonly #reserve = new Script('reserve')
  readonly #time = new Script('time')
  readonly #listForgettable = new Script('list-forgettable')
  readonly #unlinkDue = new Script('unlink-due')
  readonly #connection: RedisConnection
  /** What Redis last said the time is, and when it did by our own clock (ms). */
  #lastTime: { time: RedisTime; at: number } | undefined

  constructor(connection: RedisConnection) {
    this.#connection = connection
  }

  /** Redis's time: orders read from now on were open at it. */
  async time(): Promise<RedisTime> {
    const told = this.#lastTime
    return told !== undefined && performance.now() - told.at <= TIME_MS_MAX ? told.time : this.now()
  }

  /** Redis's time, asked for now. */
  async now(): Promise<RedisTime> {
    const time = Time.parse(await this.#time.run(this.#connection, [steadyTimeKey], []))
    this.#noteTime(time)
    return time
  }

  #noteTime(time: RedisTime): void {
    this.#lastTime = { time, at: performance.now() }
  }

  /**
   * Fixes how orders are decided: those that passed take all they need from limits and codes or, if something stands in
   * the way, nothing. The first decision on an order stands and is given again to every re-run, so an order
   * takes once however often it is judged. Resolves with the outcomes, in order; an Error for an order of which a newer version
   * has decided what this one cannot read.
   *
   * @param openAsOf what `time` said before the orders were seen open
   * @throws TooLate when that is longer than a minute ago: they may be concluded, and their decisions forgotten
   */
  async decide(orders: JudgedOrder[], openAsOf: RedisTime): Promise<(Outcome | Error)[]> {
    const byMinute = Map.groupBy(orders.entries(), ([, order]) => minuteOf(order.claimedAt))
    const outcomes: (Outcome | Error)[] = []
    await Promise.all(
      [...byMinute].map(async ([minute, entries]) => {
        const decided = await this.#decideMinute(
          minute,
          entries.map(([, order]) => order),
          openAsOf,
        )
        for (const [i, [position]] of entries.entries())
          outcomes[position] = decided[i] ?? unreadableOutcome()
      }),
    )
    return outcomes
  }

  async #decideMinute(
    minute: number,
    orders: JudgedOrder[],
    openAsOf: RedisTime,
  ): Promise<(Outcome | Error)[]> {
    const { keys, args } = this.reserveCall(minute, orders, openAsOf)
    const decided = DecidedReply.parse(await this.#reserve.run(this.#connection, keys, args))
    this.noteReply(decided)
    return decided.outcomes.map((text) => (isOutcome(text) ? text : unreadableOutcome()))
  }

  /** What the script is told to decide orders of one minute. */
  reserveCall(
    minute: number,
    orders: JudgedOrder[],
    openAsOf: RedisTime,
  ): { keys: string[]; args: (string | number)[] } {
    const places = new Map<string, number>()
    const placeOf = (key: string) => places.get(key) ?? places.set(key, places.size + 1).size
    const told = orders.flatMap(({ orderId, judged, passThroughInfo, limitUses, orderCode }) => {
      const parts = judged === 'SUCCESS' ? partsOf(limitUses, orderCode) : []
      return [
        orderId,
        outcomeOf(judged, passThroughInfo),
        parts.length,
        ...parts.flatMap(({ key, words }) => [placeOf(key), ...words]),
      ]
    })
    return {
      keys: [decidedKey(minute), decidedMinutesKey, usageDaysKey, steadyTimeKey, ...places.keys()],
      args: [minute, openAsOf.steady, DECIDE_MS_MAX, JSON.stringify(told)],
    }
  }

  /**
   * Notes the time that the script has answered.
   *
   * @throws TooLate when it has decided nothing
   */
  noteReply({ time, outcomes }: z.output<typeof DecidedReply>): void {
    this.#noteTime(time)
    if (outcomes.length === 0)
      throw new TooLate('orders were decided too long after they were seen open')
  }

  /** What was placed: by a merchant or a customer, on a day, in a currency. */
  async used(taking: UsageCounter): Promise<UsageTotals> {
    const [used = readUsed(null)] = await this.usedOf([taking])
    return used
  }

  /** As `used`, of many at once, in the same order. */
  async usedOf(limitUses: UsageCounter[]): Promise<UsageTotals[]> {
    const byDay = Map.groupBy(limitUses.entries(), ([, { day, currency }]) =>
      usageKey(day, currency),
    )
    const used: UsageTotals[] = []
    await Promise.all(
      [...byDay].map(async ([key, entries]) => {
        const fields = entries.map(([, { subject, id }]) => usageField(subject, id))
        const values = await this.#connection.hmget(key, ...fields)
        for (const [i, [position]] of entries.entries())
          used[position] = readUsed(values[i] ?? null)
      }),
    )
    return used
  }

  /**
   * Forgets decisions nobody can ask for any more: those of minutes without an open order for so long that nobody may
   * decide them again; and the counters of days long past. `oldestOpen` is the oldest claim time of an open order (ms), asked for
   * just before; undefined if there is none. Goes by the steady time, which goes on when this is called. Resolves with the time.
   */
  async forget(oldestOpen: number | undefined): Promise<RedisTime> {
    const { time, minutes, counters } = Forgettable.parse(
      await this.#listForgettable.run(
        this.#connection,
        [steadyTimeKey, decidedMinutesKey, usageDaysKey],
        [oldestOpen === undefined ? '' : minuteOf(oldestOpen), FORGET_MS, COUNTER_MS],
      ),
    )
    const decisions = minutes.map((minute) => decidedKey(Number(minute)))
    await this.#unlink(decidedMinutesKey, time.steady - FORGET_MS, minutes, decisions)
    await this.#unlink(usageDaysKey, time.steady - COUNTER_MS, counters, counters)
    return time
  }

  /** Not by expiry: that would free millions of fields while everyone waits. */
  async #unlink(index: string, until: number, members: string[], keys: string[]): Promise<void> {
    for (let at = 0; at < members.length; at += UNLINKED_MAX) {
      const end = at + UNLINKED_MAX
      const args = [until, ...members.slice(at, end)]
      await this.#unlinkDue.run(this.#connection, [index, ...keys.slice(at, end)], args)
    }
  }
}

const Ms = z.coerce.number()

/** What the script answers: the time. */
const Time = z.tuple([Ms, Ms]).transform(([now, steady]): RedisTime => ({ now, steady }))

/** What the script answers: the time, then the orders' codes. */
export const DecidedReply = z
  .tuple([Ms, Ms], z.string())
  .transform(([now, steady, ...outcomes]) => ({ time: { now, steady }, outcomes }))

/** What the script answers: the time; how many minutes may be forgotten, which, and then which counters. */
const Forgettable = z
  .tuple([Ms, Ms, z.number()], z.string())
  .transform(([now, steady, minutes, ...due]) => ({
    time: { now, steady },
    minutes: due.slice(0, minutes),
    counters: due.slice(minutes),
  }))

function readUsed(value: string | null): UsageTotals {
  const [amount, count] = (value ?? '0 0').split(' ')
  return { amount: BigInt(amount ?? '0'), count: BigInt(count ?? '0') }
}

/** Whoever wanted to decide has to look at the orders again. */
export class TooLate extends Error {
  override readonly name = 'TooLate'
}

/** The whole minutes since 1970 at a time in ms. */
export const minuteOf = (ms: number): number => Math.floor(ms / MINUTE_MS)

type Part = { key: string; words: (string | number | false)[] }

function partsOf(limitUses: LimitUse[], orderCode: string | undefined): Part[] {
  const fromLimits: Part[] = limitUses.map((taking) => ({
    key: usageKey(taking.day, taking.currency),
    words: [
      usageField(taking.subject, taking.id),
      exactly(taking.amount),
      taking.amountMax === undefined ? false : exactly(taking.amountMax),
      taking.countMax === undefined ? false : exactly(taking.countMax),
    ],
  }))
  return orderCode === undefined
    ? fromLimits
    : [{ key: codeHolderKey(digestOf(orderCode)), words: ['HOLD', 0, false, false] }, ...fromLimits]
}

/** From here on the script, whose numbers are exact to 2^53, is told a number as its digits. */
const DIGITS_FROM = 1e15

const exactly = (value: bigint | number): number | string =>
  value < DIGITS_FROM ? Number(value) : String(value)
