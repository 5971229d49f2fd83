import { shardsKey } from '../keys.ts'
import type { RedisConnection } from './connection.ts'
import { type Resharding, readShards, shardsText } from './shards.ts'

/** The number of shards, and its change. While it is being changed, no process starts. */
export class ShardCount {
  readonly #connection: RedisConnection

  constructor(connection: RedisConnection) {
    this.#connection = connection
  }

  /**
   * As it is stored; undefined of a Redis that was not used yet.
   *
   * @throws ShardsFault if it is of another version
   */
  async read(): Promise<{ shards: number; resharding?: Resharding } | undefined> {
    const text = await this.#connection.get(shardsKey)
    return text === null ? undefined : readShards(text)
  }

  /** Notes the step that is begun; with undefined there are so many shards from now on. */
  async note(shards: number, resharding: Resharding | undefined): Promise<void> {
    await this.#connection.set(shardsKey, shardsText(shards, resharding))
  }
}
