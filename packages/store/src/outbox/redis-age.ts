import { archiveKey } from '../keys.ts'
import { onConnectionLost, type RedisConnection } from '../redis/connection.ts'
import { type ArchiveState, ArchiveStates } from './archive-state.ts'
import { Outbox } from './outbox.ts'
import type { OutboxEntry } from './stream-group.ts'

/** What a Redis that is older than it was is found by. */
export class RedisAge {
  readonly shards: number
  readonly #connection: RedisConnection
  readonly #states: ArchiveStates
  readonly #outbox: Outbox

  constructor(connection: RedisConnection, shards: number) {
    this.shards = shards
    this.#connection = connection
    this.#states = new ArchiveStates(connection, shards)
    this.#outbox = new Outbox(connection)
  }

  /** What a shard knows of the archive; undefined while it is copied to none. */
  state(shard: number): Promise<ArchiveState | undefined> {
    return this.#states.of(shard)
  }

  /** The entry of a shard's outbox at this id, if it is there. */
  entryAt(shard: number, id: string): Promise<OutboxEntry | undefined> {
    return this.#outbox.entryAt(shard, id)
  }

  /** Whether any order was forgotten, and is in the archive alone. */
  async hasForgotten(): Promise<boolean> {
    for (let shard = 0; shard < this.shards; shard += 1)
      if ((await this.#connection.hexists(archiveKey(shard), 'filters')) === 1) return true
    return false
  }

  /** Calls `lost` each time the connection is lost: it may be another Redis that is back then. */
  onLost(lost: () => void): void {
    onConnectionLost(this.#connection, lost)
  }
}
