import { hash } from 'node:crypto'
import { z } from 'zod'
import { archiveKey, OrderId, outboxKey } from '../keys.ts'
import type { RedisConnection } from '../redis/connection.ts'
import { Script } from '../redis/script.ts'

/** The consumer group of all archivers. */
export const ARCHIVE_GROUP = 'archive'

/** What one call of `conclude` has concluded, or a backfill has appended. */
export type OutboxEntry = {
  id: string
  orderIds: OrderId[]
  /** It was concluded before the outbox was on: nobody is notified of it. */
  backfilled: boolean
  /** Of all that is in it: by this another entry of the same id is noticed. */
  digest: string
}

/** How far the archivers have come in a shard's outbox. */
export type OutboxProgress = {
  /** Entries that are kept, archived or not. */
  entries: number
  /**
   * When the oldest entry was appended that is not archived (ms, by Redis's clock); undefined if
   * all are.
   */
  oldest: number | undefined
}

/** The name of a backfilled entry's first field. An `OrderId` has a colon. */
const BACKFILL = 'backfill'

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
  async read(shard: number, consumer: string, max: number): Promise<OutboxEntry[]> {
    const reply = await this.#connection.xreadgroup(
      'GROUP',
      ARCHIVE_GROUP,
      consumer,
      'COUNT',
      max,
      'STREAMS',
      outboxKey(shard),
      '>',
    )
    const [stream] = Streams.parse(reply) ?? []
    return stream?.[1] ?? []
  }

  /**
   * Takes over entries that some archiver has had for `idleMs` without acknowledging them, `max` at
   * most.
   */
  async takeOver(
    shard: number,
    consumer: string,
    idleMs: number,
    max: number,
  ): Promise<OutboxEntry[]> {
    const reply = await this.#connection.xautoclaim(
      outboxKey(shard),
      ARCHIVE_GROUP,
      consumer,
      idleMs,
      '0-0',
      'COUNT',
      max,
    )
    return Claimed.parse(reply)[1]
  }

  /** Says that entries are archived. */
  async acknowledge(shard: number, ids: string[]): Promise<void> {
    if (ids.length > 0) await this.#connection.xack(outboxKey(shard), ARCHIVE_GROUP, ...ids)
  }

  /** The entry of this id, if it is there. */
  async entryAt(shard: number, id: string): Promise<OutboxEntry | undefined> {
    return Entries.parse(await this.#connection.xrange(outboxKey(shard), id, id))[0]
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
  async removeIdle(shard: number, idleMs: number): Promise<void> {
    const key = outboxKey(shard)
    const consumers = Infos.parse(await this.#connection.xinfo('CONSUMERS', key, ARCHIVE_GROUP))
    for (const { name, pending, idle } of consumers) {
      if (Number(pending) > 0 || Number(idle) < idleMs) continue
      await this.#connection.xgroup('DELCONSUMER', key, ARCHIVE_GROUP, String(name))
    }
  }

  /**
   * Leaves the group, unless something is still to be acknowledged: another archiver takes that
   * over.
   */
  async leave(shard: number, consumer: string): Promise<void> {
    const key = outboxKey(shard)
    const pending = await this.#connection.xpending(key, ARCHIVE_GROUP, '-', '+', 1, consumer)
    if (z.array(z.unknown()).parse(pending).length === 0)
      await this.#connection.xgroup('DELCONSUMER', key, ARCHIVE_GROUP, consumer)
  }

  /** How far the archivers have come; undefined where no archive reads. */
  async progress(shard: number): Promise<OutboxProgress | undefined> {
    const key = outboxKey(shard)
    if ((await this.#connection.exists(key)) === 0) return undefined
    const groups = Infos.parse(await this.#connection.xinfo('GROUPS', key))
    const group = groups.find(({ name }) => name === ARCHIVE_GROUP)
    if (group === undefined) return undefined
    const entries = await this.#connection.xlen(key)
    const from = Number(group.pending) > 0 ? await this.#oldestPending(key) : undefined
    const first = from ?? (await this.#after(key, String(group['last-delivered-id'])))
    return { entries, oldest: first === undefined ? undefined : Number(first.split('-')[0]) }
  }

  async #oldestPending(key: string): Promise<string | undefined> {
    const summary = await this.#connection.xpending(key, ARCHIVE_GROUP)
    const oldest = z.array(z.unknown()).parse(summary)[1]
    return typeof oldest === 'string' ? oldest : undefined
  }

  async #after(key: string, id: string): Promise<string | undefined> {
    const [entry] = Entries.parse(await this.#connection.xrange(key, `(${id}`, '+', 'COUNT', 1))
    return entry?.id
  }
}

const Entry = z.tuple([z.string(), z.array(z.string())]).transform(([id, words]): OutboxEntry => {
  const names = words.filter((_, i) => i % 2 === 0)
  return {
    id,
    orderIds: names.filter((name) => name.includes(':')).map((name) => OrderId.parse(name)),
    backfilled: names[0] === BACKFILL,
    digest: hash('sha256', JSON.stringify(words), 'base64url').slice(0, 22),
  }
})
const Entries = z.array(Entry)
const Streams = z.array(z.tuple([z.string(), Entries])).nullable()
const Claimed = z.tuple([z.string(), Entries], z.unknown())

/** What XINFO says, name by name. */
const Infos = z.array(
  z
    .array(z.unknown())
    .transform((words) =>
      Object.fromEntries(
        words.flatMap((word, i) => (i % 2 === 0 ? [[String(word), words[i + 1]]] : [])),
      ),
    ),
)
