import { hash } from 'node:crypto'
import { z } from 'zod'
import { OrderId } from '../keys.ts'
import type { RedisConnection } from '../redis/connection.ts'
import { Script } from '../redis/script.ts'

/** What one call of `conclude` has concluded, or a backfill has appended. */
export type OutboxEntry = {
  id: string
  orderIds: OrderId[]
  /** It was concluded before the outbox was on: nobody is notified of it. */
  backfilled: boolean
  /** Of all that is in it: by this another entry of the same id is noticed. */
  digest: string
}

/** How far a group has come. */
export type GroupProgress = {
  /** Entries that are kept in the stream, whoever needs them. */
  entries: number
  /**
   * When the oldest entry was appended that is not acknowledged (ms, by Redis's clock); undefined
   * if all are.
   */
  oldest: number | undefined
  /** The id of the newest entry that some consumer was given. */
  readTo: string
}

/** The name of a backfilled entry's first field. An `OrderId` has a colon. */
export const BACKFILL = 'backfill'

/** So many entries are looked at for those that were given to a consumer in the future. */
const AHEAD_ENTRIES = 20

/** A consumer group of a stream of outcomes. */
export class StreamGroup {
  static readonly #takeOverAhead = new Script('take-over-ahead')
  readonly #connection: RedisConnection
  readonly #key: string
  readonly #group: string

  constructor(connection: RedisConnection, key: string, group: string) {
    this.#connection = connection
    this.#key = key
    this.#group = group
  }

  /**
   * Makes the group, and the stream if there is none. It begins `from` the start of what is kept,
   * or with what is appended from now on. Resolves with false if it is there already, also while
   * Redis is full: a full one refuses the command whatever it would do.
   */
  async create(from: 'start' | 'now'): Promise<boolean> {
    if ((await this.#info()) !== undefined) return false
    const id = from === 'start' ? '0' : '$'
    try {
      await this.#connection.xgroup('CREATE', this.#key, this.#group, id, 'MKSTREAM')
      return true
    } catch (error) {
      if (error instanceof Error && error.message.startsWith('BUSYGROUP')) return false
      throw error
    }
  }

  /**
   * The next entries that no consumer has been given yet, `max` at most. They are this consumer's
   * until acknowledged.
   */
  async read(consumer: string, max: number): Promise<OutboxEntry[]> {
    const reply = await this.#connection.xreadgroup(
      'GROUP',
      this.#group,
      consumer,
      'COUNT',
      max,
      'STREAMS',
      this.#key,
      '>',
    )
    const [stream] = Streams.parse(reply) ?? []
    return stream?.[1] ?? []
  }

  /**
   * Takes over entries that some consumer has had for `idleMs` without acknowledging them, `max` at
   * most; or some that it was given while the clock of Redis was ahead.
   */
  async takeOver(consumer: string, idleMs: number, max: number): Promise<OutboxEntry[]> {
    const reply = await this.#connection.xautoclaim(
      this.#key,
      this.#group,
      consumer,
      idleMs,
      '0-0',
      'COUNT',
      max,
    )
    const idle = Claimed.parse(reply)[1]
    if (idle.length > 0) return idle
    const args = [this.#group, consumer, AHEAD_ENTRIES]
    return Entries.parse(await StreamGroup.#takeOverAhead.run(this.#connection, [this.#key], args))
  }

  /**
   * Says how long entries have been idle (ms): 0 while a consumer is at work on them, so that
   * nobody takes them over; more, so that others may at once.
   */
  async setIdle(consumer: string, ids: string[], idleMs: number): Promise<void> {
    if (ids.length === 0) return
    const words = [this.#group, consumer, 0, ...ids, 'IDLE', idleMs, 'JUSTID']
    await this.#connection.call('XCLAIM', this.#key, ...words)
  }

  /**
   * Those of some entries that are still there: others were lost with their master, or are trimmed.
   * The id of one that was lost may be another's by now.
   */
  async kept<T extends Pick<OutboxEntry, 'id' | 'digest'>>(entries: T[]): Promise<T[]> {
    const found = await Promise.all(
      entries.map(({ id }) => this.#connection.xrange(this.#key, id, id)),
    )
    return entries.filter(({ digest }, i) => Entries.parse(found[i])[0]?.digest === digest)
  }

  /** Says that entries are done with. */
  async acknowledge(ids: string[]): Promise<void> {
    if (ids.length > 0) await this.#connection.xack(this.#key, this.#group, ...ids)
  }

  /** Removes consumers that are gone: idle for `idleMs`, with nothing to acknowledge. */
  async removeIdle(idleMs: number): Promise<void> {
    const consumers = Infos.parse(await this.#connection.xinfo('CONSUMERS', this.#key, this.#group))
    for (const { name, pending, idle } of consumers) {
      if (Number(pending) > 0 || Number(idle) < idleMs) continue
      await this.#connection.xgroup('DELCONSUMER', this.#key, this.#group, String(name))
    }
  }

  /**
   * Leaves the group, unless something is still to be acknowledged: another consumer takes that
   * over.
   */
  async leave(consumer: string): Promise<void> {
    const pending = await this.#connection.xpending(this.#key, this.#group, '-', '+', 1, consumer)
    if (z.array(z.unknown()).parse(pending).length === 0)
      await this.#connection.xgroup('DELCONSUMER', this.#key, this.#group, consumer)
  }

  /** Removes the group: nothing is kept for it any more. */
  async destroy(): Promise<void> {
    if ((await this.#connection.exists(this.#key)) === 1)
      await this.#connection.xgroup('DESTROY', this.#key, this.#group)
  }

  /** How far the group has come; undefined if there is none. */
  async progress(): Promise<GroupProgress | undefined> {
    const group = await this.#info()
    if (group === undefined) return undefined
    const entries = await this.#connection.xlen(this.#key)
    const from = Number(group.pending) > 0 ? await this.#oldestPending() : undefined
    const readTo = String(group['last-delivered-id'])
    const first = from ?? (await this.#after(readTo))
    const oldest = first === undefined ? undefined : Number(first.split('-')[0])
    return { entries, oldest, readTo }
  }

  async #info(): Promise<Record<string, unknown> | undefined> {
    const groups = await groupsOf(this.#connection, this.#key)
    return groups.find(({ name }) => name === this.#group)
  }

  async #oldestPending(): Promise<string | undefined> {
    const summary = await this.#connection.xpending(this.#key, this.#group)
    const oldest = z.array(z.unknown()).parse(summary)[1]
    return typeof oldest === 'string' ? oldest : undefined
  }

  async #after(id: string): Promise<string | undefined> {
    const reply = await this.#connection.xrange(this.#key, `(${id}`, '+', 'COUNT', 1)
    return Entries.parse(reply)[0]?.id
  }
}

/** What is known of each group of a stream, as XINFO names it. */
export async function groupsOf(
  connection: RedisConnection,
  key: string,
): Promise<Record<string, unknown>[]> {
  if ((await connection.exists(key)) === 0) return []
  return Infos.parse(await connection.xinfo('GROUPS', key))
}

const Entry = z.tuple([z.string(), z.array(z.string())]).transform(([id, words]): OutboxEntry => {
  return {
    id,
    orderIds: words.flatMap((name, i) => (i % 2 === 0 ? idsIn(name, words[i + 1] ?? '') : [])),
    backfilled: words[0] === BACKFILL,
    digest: hash('sha256', JSON.stringify(words), 'base64url').slice(0, 22),
  }
})
export const Entries = z.array(Entry)

/**
 * The orders of a field: of one acquirer, as conclude.lua writes them; or the one that names the
 * field, as they are backfilled.
 */
function idsIn(name: string, value: string): OrderId[] {
  const end = name.indexOf(':') + 1
  if (end === 0) return []
  if (end < name.length) return [OrderId.parse(name)]
  const paymentIds = List.parse(JSON.parse(value)).filter((_, i) => i % 2 === 0)
  return paymentIds.map((paymentId) => OrderId.parse(`${name}${paymentId}`))
}
const List = z.array(z.string())
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
