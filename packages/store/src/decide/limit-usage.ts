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
import { heldUntil } from './code-holders.ts'

/** A judged order. It uses limits only if it passed: if `judged` is SUCCESS. */
export type JudgedOrder = {
  orderId: OrderId
  /** In ms. */
  claimedAt: number
  judged: FinalCode
  /** What a check passes through to Alipay+ with that code. */
  passThroughInfo?: string | undefined
  limitUses: LimitUse[]
  /** The order code that it is placed with, which then accepts no other order. */
  orderCode: string | undefined
  /** When that code expires (ms). */
  orderCodeExpiresAt?: number | undefined
}

/** Identifies the day counter of a merchant or customer. */
type UsageCounter = Pick<LimitUse, 'subject' | 'id' | 'day' | 'currency'>

/** The sums of a day's placed orders; the amount in smallest units. */
export type UsageTotals = { amount: bigint; count: bigint }

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS

/**
 * Redis's time in ms: its clock, and the steady time, which follows the clock but not its steps
 * (see list-forgettable.lua). Both were read at some moment up to now.
 */
export type RedisTime = { now: number; steady: number }

/**
 * For how long a day's counters are kept after the last order was counted in them (ms): orders are
 * placed within a day of their claim, and operators may look at the counters for two days more.
 */
const COUNTER_MS = 3 * DAY_MS

/**
 * Orders must be decided within this time after they were read as open (ms). It makes forgetting
 * safe: a worker that was suspended for longer, and may be the last to take an order for open, must
 * read it again.
 */
const DECIDE_MS_MAX = MINUTE_MS

/** Decisions are forgotten when no order of their minute was open for this long (ms). */
const FORGET_MS = 2 * DECIDE_MS_MAX

/** How many keys are unlinked in one call. */
const UNLINKED_MAX = 100

/** Redis's time is asked for again when it is older than this (ms). */
const TIME_MS_MAX = 1_000

/** A time (ms) that was in the future when `LimitUsage.time` returned this one. */
export const laterThan = ({ now }: RedisTime): number => now + 2 * TIME_MS_MAX

/** What orders have used of limits and order codes. */
export class LimitUsage {
  readonly #reserve = new Script('reserve')
  readonly #time = new Script('time')
  readonly #listForgettable = new Script('list-forgettable')
  readonly #unlinkDue = new Script('unlink-due')
  readonly #connection: RedisConnection
  /** Redis's time as of its last reply, and when that came by our own clock (ms). */
  #lastTime: { time: RedisTime; at: number } | undefined

  constructor(connection: RedisConnection) {
    this.#connection = connection
  }

  /**
   * Redis's time, perhaps a second old: orders that are read as open from now on were open then.
   */
  async time(): Promise<RedisTime> {
    const last = this.#lastTime
    return last !== undefined && performance.now() - last.at <= TIME_MS_MAX ? last.time : this.now()
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
   * Decides orders: those that passed take all that they need from limits and codes, or nothing if
   * one of them refuses. The first decision on an order stands and is returned to every later run,
   * so an order uses limits once, however often it is judged. Resolves with the outcomes, in order;
   * an Error for a decision that this version cannot read.
   *
   * @param openAsOf the result of `time` before the orders were read as open
   * @throws TooLate if that is longer than a minute ago: the orders may be concluded by now, and
   *   their decisions forgotten
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

  /** The script's keys and arguments to decide orders of one minute. */
  reserveCall(
    minute: number,
    orders: JudgedOrder[],
    openAsOf: RedisTime,
  ): { keys: string[]; args: (string | number)[] } {
    const places = new Map<string, number>()
    const placeOf = (key: string) => places.get(key) ?? places.set(key, places.size + 1).size
    const flat = orders.flatMap((order) => {
      const { orderId, judged, passThroughInfo } = order
      const parts = judged === 'SUCCESS' ? partsOf(order) : []
      return [
        orderId,
        outcomeOf(judged, passThroughInfo),
        parts.length,
        ...parts.flatMap(({ key, words }) => [placeOf(key), ...words]),
      ]
    })
    return {
      keys: [decidedKey(minute), decidedMinutesKey, usageDaysKey, steadyTimeKey, ...places.keys()],
      args: [minute, openAsOf.steady, DECIDE_MS_MAX, JSON.stringify(flat)],
    }
  }

  /**
   * Notes the time in the script's reply.
   *
   * @throws TooLate if it has decided nothing
   */
  noteReply({ time, outcomes }: z.output<typeof DecidedReply>): void {
    this.#noteTime(time)
    if (outcomes.length === 0)
      throw new TooLate('orders were decided too long after they were read as open')
  }

  /** What a merchant or a customer has placed on a day in a currency. */
  async used(taking: UsageCounter): Promise<UsageTotals> {
    const [used = readUsed(null)] = await this.usedOf([taking])
    return used
  }

  /** As `used`, for many at once, in the same order. */
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
   * Forgets decisions that nobody can need any more, because no order of their minute has been open
   * for so long that no worker may decide one; and the counters of days long past. `oldestOpen` is
   * the oldest claim time of an open order (ms), read just before; undefined if no order is open.
   * Goes by the steady time, and advances it. Resolves with the time.
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

  /**
   * Keys are unlinked, not expired: an expiry would free millions of fields while all other
   * commands wait.
   */
  async #unlink(index: string, until: number, members: string[], keys: string[]): Promise<void> {
    for (let at = 0; at < members.length; at += UNLINKED_MAX) {
      const end = at + UNLINKED_MAX
      const args = [until, ...members.slice(at, end)]
      await this.#unlinkDue.run(this.#connection, [index, ...keys.slice(at, end)], args)
    }
  }
}

const Ms = z.coerce.number()

/** The reply of the script: the time. */
const Time = z.tuple([Ms, Ms]).transform(([now, steady]): RedisTime => ({ now, steady }))

/** The reply of the script: the time, then the orders' outcomes. */
export const DecidedReply = z
  .tuple([Ms, Ms], z.string())
  .transform(([now, steady, ...outcomes]) => ({ time: { now, steady }, outcomes }))

/**
 * The reply of the script: the time; how many minutes may be forgotten; those minutes; then the
 * counters.
 */
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

/** The orders were read as open too long ago. The caller must read them again. */
export class TooLate extends Error {
  override readonly name = 'TooLate'
}

/** The whole minutes since 1970 at a time in ms. */
export const minuteOf = (ms: number): number => Math.floor(ms / MINUTE_MS)

type Part = { key: string; words: (string | number | false)[] }

function partsOf({ limitUses, orderCode, orderCodeExpiresAt }: JudgedOrder): Part[] {
  const fromLimits: Part[] = limitUses.map((taking) => ({
    key: usageKey(taking.day, taking.currency),
    words: [
      usageField(taking.subject, taking.id),
      exactly(taking.amount),
      taking.amountMax === undefined ? false : exactly(taking.amountMax),
      taking.countMax === undefined ? false : exactly(taking.countMax),
    ],
  }))
  if (orderCode === undefined) return fromLimits
  const held: Part = {
    key: codeHolderKey(digestOf(orderCode)),
    words: ['HOLD', heldUntil(orderCodeExpiresAt), false, false],
  }
  return [held, ...fromLimits]
}

/**
 * From here on a number is passed to the script as its digits: Lua's numbers are exact up to 2^53
 * only.
 */
const DIGITS_FROM = 1e15

const exactly = (value: bigint | number): number | string =>
  value < DIGITS_FROM ? Number(value) : String(value)
