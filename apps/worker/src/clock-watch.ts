import type { RedisTime } from '@placeorder/store'

/** What happened to a clock, and by how much (ms); negative means back, or behind. */
export type ClockFact =
  | 'the clock of Redis stepped: look at the time synchronisation of its machine'
  | 'the clock of this machine stepped: look at its time synchronisation'
  | 'the clocks of this machine and of Redis differ: look at the time synchronisation of both'

/** Clocks of this process, in ms. `ticks` is monotonic. */
export type Clocks = { wall: () => number; ticks: () => number }

/** Synchronised clocks step and differ by less than this (ms). */
const STEP_MS_MIN = 1_000
const DIFFERENCE_MS_MIN = 2_000

/** Redis's time, read between two ticks. */
type Reading = { redis: number; asked: number; answered: number; wall: number }

/**
 * Reports steps of clocks. No decision depends on a single reading of one; but claims are dated by
 * Redis's, and certificates, logs and what an operator sees by this machine's, so somebody should
 * look.
 */
export class ClockWatch {
  readonly #onFact: (fact: ClockFact, byMs: number) => void
  readonly #clocks: Clocks
  #last: Reading | undefined
  #reportedDifference = 0

  constructor(
    onFact: (fact: ClockFact, byMs: number) => void,
    clocks: Clocks = { wall: Date.now, ticks: () => performance.now() },
  ) {
    this.#onFact = onFact
    this.#clocks = clocks
  }

  /**
   * Reads Redis's time with `read`, and reports what has happened to the clocks since the last
   * time.
   */
  async check(read: () => Promise<RedisTime>): Promise<RedisTime> {
    const asked = this.#clocks.ticks()
    const time = await read()
    const [answered, wall] = [this.#clocks.ticks(), this.#clocks.wall()]
    const reading = { redis: time.now, asked, answered, wall }
    if (this.#last !== undefined) this.#compare(this.#last, reading)
    this.#last = reading
    return time
  }

  #compare(last: Reading, now: Reading): void {
    // The time that has passed since the last reading, at least and at most: Redis read its clock
    // at some moment between the two ticks.
    const [least, most] = [now.asked - last.answered, now.answered - last.asked]
    const passed = now.redis - last.redis
    const redisStep = Math.min(passed - least, 0) + Math.max(passed - most, 0)
    if (Math.abs(redisStep) >= STEP_MS_MIN)
      this.#report(
        'the clock of Redis stepped: look at the time synchronisation of its machine',
        redisStep,
      )
    const ownStep = now.wall - last.wall - (now.answered - last.answered)
    if (Math.abs(ownStep) >= STEP_MS_MIN)
      this.#report('the clock of this machine stepped: look at its time synchronisation', ownStep)
    this.#compareWithRedis(now)
  }

  /** Reported once, and again when it has changed. */
  #compareWithRedis({ wall, redis, asked, answered }: Reading): void {
    const [least, most] = [wall - (answered - asked) - redis, wall - redis]
    const difference = Math.max(least, 0) + Math.min(most, 0)
    const isLarge = Math.abs(difference) >= DIFFERENCE_MS_MIN
    if (!isLarge) this.#reportedDifference = 0
    else if (Math.abs(difference - this.#reportedDifference) >= DIFFERENCE_MS_MIN) {
      this.#reportedDifference = difference
      this.#report(
        'the clocks of this machine and of Redis differ: look at the time synchronisation of both',
        difference,
      )
    }
  }

  #report(fact: ClockFact, byMs: number): void {
    this.#onFact(fact, Math.round(byMs))
  }
}
