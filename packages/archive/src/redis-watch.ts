import { setTimeout as wait } from 'node:timers/promises'
import { RedisWentBack } from './archive-fault.ts'
import { compareRedis, type RedisToCompare } from './compare-redis.ts'
import type { Archive } from './open-archive.ts'

// A Redis that was restored from an older file has open orders that were concluded, and lacks
// others. Whoever claims, decides or answers by it would contradict what was answered before.
//
//            a connection is lost              as archived, or the archive is silent
//   passed ────────────────────────▶ comparing ─────────────────────────────────────▶ passed
//     │                                  │
//     │ every ROUND_MS: it is older      │ it is older            every ROUND_MS: as archived,
//     └──────────────▶ went back ◀───────┘     went back ────────────────────────────▶ passed
//                                                        since it was restored

/** Whether Redis may be used. */
type State = 'comparing' | 'passed' | 'went-back'

/**
 * An archive that does not answer is waited for this long (ms): orders are served without it, and
 * must be served again within 2 s of Redis being back.
 */
const ARCHIVE_MS_MAX = 750

/**
 * A Redis that does not answer for this long (ms) is away. A command may be lost with the node of a
 * Cluster that it was sent to.
 */
const REDIS_MS_MAX = 5_000

/** Compared again after this time (ms): a node of a Cluster may go back with no connection lost. */
const ROUND_MS = 5_000

/** A Redis that is away is asked again after this time (ms). */
const AGAIN_MS = 50

export type RedisWatchDeps = {
  archive: Pick<Archive, 'shards'>
  redis: RedisToCompare
  /** Reports that Redis is older than it was, and that it is no longer. */
  onChange: (reason: string | undefined) => void
  /** Reports that the archive did not answer in time: Redis is used without a comparison. */
  onUnknown: (error: unknown) => void
}

/** Finds out, at the start and after each lost connection, whether a shard is older than it was. */
export class RedisWatch {
  readonly #shard: number
  readonly #deps: RedisWatchDeps
  #state: State = 'comparing'
  #reason: string | undefined
  /** Resolves with the next change to `passed`. */
  #passing = Promise.withResolvers<void>()
  /** How often a connection was lost. */
  #losses = 0
  /** Ends the pause between two comparisons. */
  #pause = new AbortController()

  constructor(shard: number, deps: RedisWatchDeps) {
    this.#shard = shard
    this.#deps = deps
  }

  /** Why Redis must not be used; undefined if nothing is known against it. */
  get reason(): string | undefined {
    return this.#reason
  }

  /** To be called when a connection to Redis is lost: what is back then may be another Redis. */
  lost(): void {
    if (this.#state === 'passed') this.#state = 'comparing'
    this.#losses += 1
    this.#pause.abort()
  }

  /** @throws an Error unless Redis may be used now */
  demandPassed(): void {
    if (this.#state === 'passed') return
    if (this.#reason !== undefined) throw new RedisWentBack(this.#reason)
    throw new Error('Redis is away, or was not compared with the archive yet')
  }

  /** Resolves once Redis may be used. Rejects with the reason of `signal`. */
  async passed(signal: AbortSignal): Promise<void> {
    while (this.#state !== 'passed') await before(this.#passing.promise, signal)
  }

  /** Compares, again and again, until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const losses = this.#losses
      const known = await this.#compare()
      const isLost = losses !== this.#losses // Another Redis may have answered.
      // What a silent archive does not say holds for any Redis: else nobody would be served while
      // connections are lost more often than a silent archive is waited for.
      if (!isLost || known instanceof Silent) this.#note(known)
      if (isLost) continue
      this.#pause = new AbortController()
      const pause = { signal: AbortSignal.any([signal, this.#pause.signal]) }
      await wait(known === 'away' ? AGAIN_MS : ROUND_MS, undefined, pause).catch(() => {})
    }
  }

  async #compare(): Promise<Known> {
    const { archive, redis } = this.#deps
    const inTime: Pick<Archive, 'shards'> = {
      shards: (archiveId) =>
        before(archive.shards(archiveId), AbortSignal.timeout(ARCHIVE_MS_MAX)).catch((cause) => {
          throw new Silent('the archive does not answer', { cause })
        }),
    }
    try {
      await before(compareRedis(inTime, redis, this.#shard), AbortSignal.timeout(REDIS_MS_MAX))
      return 'equal'
    } catch (error) {
      return error instanceof RedisWentBack || error instanceof Silent ? error : 'away'
    }
  }

  #note(known: Known): void {
    if (known === 'equal') this.#enter('passed', undefined)
    if (known instanceof RedisWentBack) this.#enter('went-back', known.message)
    if (!(known instanceof Silent) || this.#state !== 'comparing') return
    this.#deps.onUnknown(known.cause)
    this.#enter('passed', undefined)
  }

  #enter(state: State, reason: string | undefined): void {
    const isNew = reason !== this.#reason
    this.#state = state
    this.#reason = reason
    if (isNew) this.#deps.onChange(reason)
    if (state !== 'passed') return
    this.#passing.resolve()
    this.#passing = Promise.withResolvers()
  }
}

/** What a comparison has found: `away` where Redis did not answer. */
type Known = 'equal' | 'away' | RedisWentBack | Silent

/** The archive does not answer. */
class Silent extends Error {
  override readonly name = 'Silent'
}

/** The result of `promise`, unless `signal` aborts before. */
async function before<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  const aborted = Promise.withResolvers<never>()
  const abort = () => aborted.reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([promise, aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
