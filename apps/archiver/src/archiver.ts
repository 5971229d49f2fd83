import { setTimeout as wait } from 'node:timers/promises'
import type { Archive } from '@placeorder/archive'
import type { ArchiverStore } from '@placeorder/store'
import type { CopyDeps } from './copy-batch.ts'
import type { ForgetObserver } from './forget-entries.ts'
import { ShardArchiver, type Stopped } from './shard-archiver.ts'
import { ShardForgetter } from './shard-forgetter.ts'

export type ArchiverDeps = {
  store: Omit<ArchiverStore, 'close'>
  archive: Pick<Archive, 'write' | 'compare' | 'check' | 'lookUp' | 'settings'>
  shards: number
  /** Names this process among the archivers. */
  consumer: string
  observer: CopyDeps['observer'] & ForgetObserver
  onStopped: (shard: number, stopped: Stopped, error: unknown) => void
  /** How long orders stay in Redis (ms); undefined: they are not forgotten. */
  keepMs: number | undefined
  onNotForgetting: (shard: number, reason: string, error: unknown) => void
}

/** How often it is asked again whether the archive is there and switched on (ms). */
const ASK_MS = 1_000

/** Copies and forgets all shards, once the archive is there and switched on. */
export class Archiver {
  readonly #deps: ArchiverDeps
  #running: ShardArchiver[] = []
  #forgetting: ShardForgetter[] = []
  #notOn = 'it has not looked yet'

  constructor(deps: ArchiverDeps) {
    this.#deps = deps
  }

  /** Those at work. */
  get running(): ShardArchiver[] {
    return this.#running
  }

  /** Those that forget. */
  get forgetting(): ShardForgetter[] {
    return this.#forgetting
  }

  /** Why there are none. */
  get notOn(): string {
    return this.#notOn
  }

  /** Copies and forgets until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const archiveId = await this.#untilOn(signal)
    if (archiveId === undefined) return
    const { store, archive, shards, consumer, observer, onStopped } = this.#deps
    this.#running = Array.from(
      { length: shards },
      (_, shard) =>
        new ShardArchiver(shard, consumer, { store, archive, archiveId, observer }, (...stopped) =>
          onStopped(shard, ...stopped),
        ),
    )
    this.#forgetting = this.#forgetters(archiveId)
    await Promise.all([...this.#running, ...this.#forgetting].map((one) => one.run(signal)))
  }

  #forgetters(archiveId: string): ShardForgetter[] {
    const { keepMs, shards, onNotForgetting, ...deps } = this.#deps
    if (keepMs === undefined) return []
    return Array.from(
      { length: shards },
      (_, shard) =>
        new ShardForgetter(shard, { ...deps, archiveId, keepMs }, (...why) =>
          onNotForgetting(shard, ...why),
        ),
    )
  }

  async #untilOn(signal: AbortSignal): Promise<string | undefined> {
    const { archive, store } = this.#deps
    while (!signal.aborted) {
      try {
        await archive.check()
        const archiveId = await store.states.archiveId()
        if (archiveId !== undefined) return archiveId
        this.#notOn = 'the archive is not switched on in Redis: run npm run archive -- migrate'
      } catch (error) {
        this.#notOn = error instanceof Error ? error.message : String(error)
      }
      await wait(ASK_MS, undefined, { signal }).catch(() => {})
    }
    return undefined
  }
}
