import { z } from 'zod'
import { archiveKey, type OrderId, outboxKey } from '../keys.ts'
import type { RedisConnection } from '../redis/connection.ts'
import type { Durability } from '../redis/durability.ts'
import { Script } from '../redis/script.ts'
import {
  BACKFILL,
  Entries,
  type GroupProgress,
  type OutboxEntry,
  StreamGroup,
} from './stream-group.ts'

/** The consumer group of all archivers. */
export const ARCHIVE_GROUP = 'archive'

/** So many entries are removed in one call, in some 1 ms. */
const TRIMMED_MAX = 10_000

/** The outcomes of each shard, as they were concluded, for those who copy or publish them. */
export class Outbox {
  readonly #trim = new Script('trim-outbox')
  readonly #connection: RedisConnection

  constructor(connection: RedisConnection) {
    this.#connection = connection
  }

  /**
   * The next entries that no archiver has been given yet, `max` at most. They are this consumer's
   * until acknowledged.
   */
  read(shard: number, consumer: string, max: number): Promise<OutboxEntry[]> {
    return this.#archivers(shard).read(consumer, max)
  }

  /**
   * Takes over entries that some archiver has had for `idleMs` without acknowledging them, `max` at
   * most.
   */
  takeOver(shard: number, consumer: string, idleMs: number, max: number): Promise<OutboxEntry[]> {
    return this.#archivers(shard).takeOver(consumer, idleMs, max)
  }

  /** Says that entries are archived. */
  acknowledge(shard: number, ids: string[]): Promise<void> {
    return this.#archivers(shard).acknowledge(ids)
  }

  /** Has archivers begin anew with what is appended from now on. */
  async beginAnew(shard: number): Promise<void> {
    await this.#archivers(shard).destroy()
    await this.#archivers(shard).create('now')
  }

  /** The entry of this id, if it is there. */
  async entryAt(shard: number, id: string): Promise<OutboxEntry | undefined> {
    return Entries.parse(await this.#connection.xrange(outboxKey(shard), id, id))[0]
  }

  /** Whether as many replicas as are required have an entry, by a fence. */
  replicated(
    shard: number,
    { id, digest }: OutboxEntry,
    durability: Pick<Durability, 'entryReplicated'>,
  ): Promise<boolean> {
    const fits = (reply: unknown) => Entries.parse(reply)[0]?.digest === digest
    return durability.entryReplicated(shard, id, fits)
  }

  /**
   * Those of some entries that are still there: others were lost with their master, or are trimmed.
   */
  kept(shard: number, entries: OutboxEntry[]): Promise<OutboxEntry[]> {
    return this.#archivers(shard).kept(entries)
  }

  /** Entries from `from` on, archived or not, `max` at most. */
  async from(shard: number, from: string, max: number): Promise<OutboxEntry[]> {
    return Entries.parse(await this.#connection.xrange(outboxKey(shard), from, '+', 'COUNT', max))
  }

  /** Appends orders that were concluded before the outbox was on. */
  async backfill(shard: number, orders: { orderId: OrderId; outcome: string }[]): Promise<void> {
    if (orders.length === 0) return
    const words = orders.flatMap(({ orderId, outcome }) => [orderId, outcome])
    await this.#connection.xadd(outboxKey(shard), '*', BACKFILL, '1', ...words)
  }

  /**
   * Removes what every group of readers has acknowledged. Resolves with the number of entries
   * removed.
   */
  async trim(shard: number): Promise<number> {
    const keys = [outboxKey(shard), archiveKey(shard)]
    return z.number().parse(await this.#trim.run(this.#connection, keys, [TRIMMED_MAX]))
  }

  /**
   * Removes consumers of archivers that are gone: idle for `idleMs`, with nothing to acknowledge.
   */
  removeIdle(shard: number, idleMs: number): Promise<void> {
    return this.#archivers(shard).removeIdle(idleMs)
  }

  /**
   * Leaves the group, unless something is still to be acknowledged: another archiver takes that
   * over.
   */
  leave(shard: number, consumer: string): Promise<void> {
    return this.#archivers(shard).leave(consumer)
  }

  /** How far the archivers have come; undefined where no archive reads. */
  progress(shard: number): Promise<GroupProgress | undefined> {
    return this.#archivers(shard).progress()
  }

  #archivers(shard: number): StreamGroup {
    return new StreamGroup(this.#connection, outboxKey(shard), ARCHIVE_GROUP)
  }
}
