import { z } from 'zod'
import { archiveKey, OrderId, outboxKey, unarchivableKey } from '../keys.ts'
import type { RedisConnection } from '../redis/connection.ts'
import { UNREADABLE } from '../redis/readable.ts'
import { Script } from '../redis/script.ts'
import { ARCHIVE_GROUP } from './outbox.ts'

/** What a shard knows of the archive its orders are copied to. */
export type ArchiveState = {
  /** Names the archive: several may be in one database. */
  archiveId: string
  /** The highest version that the archive has confirmed to those who copy. */
  committed: number
  /** The same, or that of forgotten orders if it is higher: an older archive is not believed. */
  needed: number
  /** The highest id of the outbox that is in the archive; undefined before the first. */
  archivedTo: string | undefined
  /** Copying is switched off: the entry at `archivedTo` may have been removed. */
  isOff: boolean
}

/**
 * What a shard's Redis knows of the archive, and whether outcomes are appended to the outbox at
 * all.
 */
export class ArchiveStates {
  readonly #raise = new Script('raise-committed')
  readonly #connection: RedisConnection
  readonly #shards: number

  constructor(connection: RedisConnection, shards: number) {
    this.#connection = connection
    this.#shards = shards
  }

  /** What a shard knows; undefined while it is copied to no archive. */
  async of(shard: number): Promise<ArchiveState | undefined> {
    const fields = await this.#connection.hmget(
      archiveKey(shard),
      'uuid',
      'committed',
      'archivedTo',
      'forgottenVersion',
      'off',
    )
    return State.parse(fields)
  }

  /** The archive's id, of the first shard that knows one; undefined of a Redis that knows none. */
  async archiveId(): Promise<string | undefined> {
    for (let shard = 0; shard < this.#shards; shard += 1) {
      const state = await this.of(shard)
      if (state !== undefined) return state.archiveId
    }
    return undefined
  }

  /**
   * Switches a shard's outbox on for an archive: from the next conclusion on, every outcome is
   * appended. The group comes first, since nothing is trimmed that it has not seen. May run again;
   * an archive that is known stays. One that was switched off goes on with `goOn`.
   */
  async switchOn(shard: number, archiveId: string): Promise<void> {
    const [outbox, archive] = [outboxKey(shard), archiveKey(shard)]
    await this.#connection
      .xgroup('CREATE', outbox, ARCHIVE_GROUP, '0', 'MKSTREAM')
      .catch(unlessThere)
    await this.#connection.hsetnx(archive, 'uuid', archiveId)
    await this.#connection.hset(archive, 'outbox', 'on')
  }

  /** Has no batch of a shard copied that asks Redis from now on. Nothing is let go of yet. */
  async stopCopying(shard: number): Promise<void> {
    await this.#connection.hset(archiveKey(shard), 'off', '1')
  }

  /**
   * Lets a shard be copied no more: nothing is appended unless others read the outbox, and nothing
   * is kept but for them. What is known stays.
   */
  async switchOff(shard: number): Promise<void> {
    const outbox = outboxKey(shard)
    await this.stopCopying(shard)
    if ((await this.#connection.exists(outbox)) === 0) return
    await this.#connection.xgroup('DESTROY', outbox, ARCHIVE_GROUP)
    await this.#connection.hdel(archiveKey(shard), 'forgottenTo')
    const groups = z.array(z.unknown()).parse(await this.#connection.xinfo('GROUPS', outbox))
    if (groups.length === 0) await this.#connection.hdel(archiveKey(shard), 'outbox')
  }

  /** Has a shard copied again, once the entry that the archive names is in its outbox. */
  async goOn(shard: number): Promise<void> {
    await this.#connection.hdel(archiveKey(shard), 'off')
  }

  /**
   * Notes what the archive has confirmed. Resolves with how many orders are set aside; undefined if
   * the shard is another archive's by now.
   */
  async raise(
    shard: number,
    { archiveId, version, archivedTo }: { archiveId: string; version: number; archivedTo: string },
  ): Promise<number | undefined> {
    const keys = [archiveKey(shard), unarchivableKey(shard)]
    const args = [archiveId, version, archivedTo]
    const setAside = z.number().parse(await this.#raise.run(this.#connection, keys, args))
    return setAside < 0 ? undefined : setAside
  }

  /** Sets orders aside that cannot be archived, with why: they stay in Redis. */
  async setAside(shard: number, orders: { orderId: OrderId; reason: string }[]): Promise<void> {
    if (orders.length === 0) return
    const words = orders.flatMap(({ orderId, reason }) => [orderId, reason])
    await this.#connection.hset(unarchivableKey(shard), ...words)
  }

  /** Has orders no longer set aside: the archive has them equal after all. */
  async takeBack(shard: number, orderIds: OrderId[]): Promise<void> {
    if (orderIds.length > 0) await this.#connection.hdel(unarchivableKey(shard), ...orderIds)
  }

  /** How many orders of a shard were set aside. */
  async countSetAside(shard: number): Promise<number> {
    return this.#connection.hlen(unarchivableKey(shard))
  }

  /**
   * Orders of a shard that were set aside because their records could not be read, `max` at most,
   * and others each time.
   */
  async unreadable(shard: number, max: number): Promise<OrderId[]> {
    const words = await this.#connection.hrandfield(unarchivableKey(shard), max, 'WITHVALUES')
    const pairs = z.array(z.string()).parse(words)
    return pairs.flatMap((orderId, i) =>
      i % 2 === 0 && pairs[i + 1]?.startsWith(UNREADABLE) ? [OrderId.parse(orderId)] : [],
    )
  }

  /** The orders of a shard that were set aside, and why. */
  async listSetAside(shard: number): Promise<{ orderId: OrderId; reason: string }[]> {
    const all = Object.entries(await this.#connection.hgetall(unarchivableKey(shard)))
    return all.map(([orderId, reason]) => ({ orderId: OrderId.parse(orderId), reason }))
  }
}

const unlessThere = (error: unknown): void => {
  if (!(error instanceof Error && error.message.startsWith('BUSYGROUP'))) throw error
}

const State = z
  .array(z.string().nullable())
  .transform(([archiveId, confirmed, archivedTo, forgotten, off]): ArchiveState | undefined => {
    if (!archiveId) return undefined
    const committed = Number(confirmed ?? 0)
    const needed = Math.max(committed, Number(forgotten ?? 0))
    const isOff = typeof off === 'string'
    return { archiveId, committed, needed, archivedTo: archivedTo ?? undefined, isOff }
  })
