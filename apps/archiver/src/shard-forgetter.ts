import { setTimeout as wait } from 'node:timers/promises'
import { type Archive, ArchiveFault, isAfter } from '@placeorder/archive'
import { type ArchiverStore, NotForgotten } from '@placeorder/store'
import { redisSideOf } from './copy-batch.ts'
import {
  AHEAD_MS_MAX,
  type EntriesToForget,
  type ForgetDeps,
  forgetEntries,
} from './forget-entries.ts'

export type ShardForgetterDeps = ForgetDeps & {
  store: Pick<ArchiverStore, 'outbox' | 'states' | 'forgetting' | 'durability'>
  archive: Pick<Archive, 'lookUp' | 'compare' | 'settings'>
}

/** So many orders are compared in one statement. */
const COMPARED_ORDERS_MAX = 500

/** Entries are read so many at a time; one holds the orders of one group. */
const READ_ENTRIES = 100

/** With nothing to forget it looks again after this time (ms). */
const IDLE_MS = 1_000

/** After a failure it tries again after this time (ms): nothing is in a hurry to be forgotten. */
const AGAIN_MS = 5_000

/** Both stores are asked so often whether they keep what they confirm (ms). */
const SETTINGS_MS = 5_000

/** Forgets one shard's orders, in the order in which they were concluded. */
export class ShardForgetter {
  readonly #shard: number
  readonly #deps: ShardForgetterDeps
  readonly #onStopped: (reason: string, error: unknown) => void
  #stopped: string | undefined
  #durableAt = Number.NEGATIVE_INFINITY

  constructor(
    shard: number,
    deps: ShardForgetterDeps,
    onStopped: (reason: string, error: unknown) => void,
  ) {
    this.#shard = shard
    this.#deps = deps
    this.#onStopped = onStopped
  }

  /** Why nothing is forgotten, if that is so. */
  get stopped(): string | undefined {
    return this.#stopped
  }

  /** Forgets until `signal` aborts. Where several do, each order is forgotten once. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      let pauseMs: number = IDLE_MS
      try {
        if (await this.#step()) pauseMs = 0
        this.#stopped = undefined
      } catch (error) {
        this.#stopped = error instanceof Error ? error.message : String(error)
        this.#onStopped(this.#stopped, error)
        pauseMs = AGAIN_MS
      }
      await wait(pauseMs, undefined, { signal }).catch(() => {})
    }
  }

  /** Forgets as much of what is due as is compared at once. Resolves with whether there is more. */
  async #step(): Promise<boolean> {
    const { store, archive, archiveId, keepMs } = this.#deps
    const shard = this.#shard
    await store.forgetting.switchOn(shard)
    const now = Date.now()
    const due = await this.#due(now, keepMs)
    if (due.entries.length === 0) return false
    await this.#demandDurable()
    await archive.compare({ archiveId, shard }, (at) => redisSideOf(shard, at, this.#deps))
    const to = await forgetEntries(shard, due, now, this.#deps).catch(unlessPassing)
    return to !== undefined && to === due.entries.at(-1)?.id
  }

  /**
   * The next entries that are archived, and not too young. By their ids only as long as these are
   * possible: once Redis's clock was ahead, all later ids are, too.
   */
  async #due(now: number, keepMs: number): Promise<EntriesToForget> {
    const { store } = this.#deps
    const [{ forgottenTo: from = '0-0' }, state] = await Promise.all([
      store.forgetting.stateOf(this.#shard),
      store.states.of(this.#shard),
    ])
    const archivedTo = state?.archivedTo
    if (archivedTo === undefined) return { from, entries: [] }
    const entries = await store.outbox.from(this.#shard, `(${from}`, READ_ENTRIES)
    let orders = 0
    const end = entries.findIndex(({ id, orderIds }, i) => {
      orders += orderIds.length
      const appendedAt = Number(id.split('-')[0])
      return (
        (appendedAt > now - keepMs && appendedAt <= now + AHEAD_MS_MAX) ||
        isAfter(id, archivedTo) ||
        (i > 0 && orders > COMPARED_ORDERS_MAX)
      )
    })
    return { from, entries: end < 0 ? entries : entries.slice(0, end) }
  }

  /** What is forgotten is in the archive and in a filter alone: both must survive a crash. */
  async #demandDurable(): Promise<void> {
    if (performance.now() - this.#durableAt < SETTINGS_MS) return
    const { store, archive } = this.#deps
    const [{ faults }, settings] = await Promise.all([
      store.durability.report(),
      archive.settings(),
    ])
    if (faults.length > 0) throw new Error(`Redis is not durable: ${faults.join('; ')}`)
    for (const name of ['fsync', 'synchronous_commit'] as const)
      if (settings[name] === 'off')
        throw new ArchiveFault(`PostgreSQL is not durable: set ${name} to on`)
    if (settings.transaction_read_only === 'on')
      throw new ArchiveFault('ARCHIVE_URL names a replica: name the primary')
    this.#durableAt = performance.now()
  }
}

/**
 * Our clock is ahead of Redis's, which decides; or another archiver has written since the orders
 * were looked up.
 */
function unlessPassing(error: unknown): undefined {
  if (!(error instanceof NotForgotten && ['EARLY', 'BEHIND'].includes(error.why))) throw error
}
