import { z } from 'zod'
import {
  archiveKey,
  deliveriesKey,
  type OrderId,
  outboxKey,
  replayKey,
  SINK_GROUP_PREFIX,
  sinkGroup,
} from '../keys.ts'
import type { RedisConnection } from '../redis/connection.ts'
import { Script } from '../redis/script.ts'
import { type GroupProgress, groupsOf, StreamGroup } from './stream-group.ts'

/** Where an event comes from: as it was concluded, or again because somebody asked for it. */
export const DeliverySource = ['outbox', 'replay'] as const
export type DeliverySource = (typeof DeliverySource)[number]

/** How far a sink has come in a shard. */
export type SinkProgress = GroupProgress & {
  /** Entries that wait to be sent again because somebody asked for it. */
  replays: number
}

/** One sending to a sink. */
export type Delivery = {
  /** When it ended (ms). */
  at: number
  /** How long it took (ms). */
  ms: number
  /** `delivered`, or why not. */
  result: string
  orderIds: OrderId[]
}

/** So many sendings of a sink are remembered, in each shard. */
const DELIVERIES_KEPT = 1_000

/** Entries that a sink holds are dropped so many at a time, in some 1 ms. */
const DROPPED_MAX = 1_000

/** What sinks read: each shard's outbox, and what each of them is to be sent again. */
export class SinkStreams {
  readonly #drop = new Script('drop-held')
  readonly #connection: RedisConnection

  constructor(connection: RedisConnection) {
    this.#connection = connection
  }

  /** The group with which a sink reads. */
  group(shard: number, sink: string, source: DeliverySource): StreamGroup {
    const key = source === 'outbox' ? outboxKey(shard) : replayKey(shard, sink)
    return new StreamGroup(this.#connection, key, sinkGroup(sink))
  }

  /**
   * Lets a sink read what is concluded from now on, and has outcomes appended to the outbox; a sink
   * that reads already goes on where it is, also while Redis is full. `from` the start of what is
   * kept: one that read before, and was lost with the data of Redis. Resolves with true if it is
   * new here.
   */
  async open(shard: number, sink: string, from: 'start' | 'now' = 'now'): Promise<boolean> {
    const isNew = await this.group(shard, sink, 'outbox').create(from)
    await this.group(shard, sink, 'replay').create('start')
    const isOn = (await this.#connection.hexists(archiveKey(shard), 'outbox')) === 1
    if (!isOn) await this.#connection.hset(archiveKey(shard), 'outbox', 'on')
    return isNew
  }

  /** Removes a sink with all that waits for it: the outbox is kept for it no more. */
  async remove(shard: number, sink: string): Promise<void> {
    await this.group(shard, sink, 'outbox').destroy()
    await this.#connection.unlink(replayKey(shard, sink), deliveriesKey(shard, sink))
    const others = await groupsOf(this.#connection, outboxKey(shard))
    if (others.length === 0) await this.#connection.hdel(archiveKey(shard), 'outbox')
  }

  /** The sinks that read a shard's outbox. */
  async list(shard: number): Promise<string[]> {
    const groups = await groupsOf(this.#connection, outboxKey(shard))
    return groups.flatMap(({ name }) =>
      String(name).startsWith(SINK_GROUP_PREFIX)
        ? [String(name).slice(SINK_GROUP_PREFIX.length)]
        : [],
    )
  }

  /** How far a sink has come; undefined if it does not read. */
  async progress(shard: number, sink: string): Promise<SinkProgress | undefined> {
    const [outbox, replay] = await Promise.all([
      this.group(shard, sink, 'outbox').progress(),
      this.group(shard, sink, 'replay').progress(),
    ])
    return outbox && { ...outbox, replays: replay?.entries ?? 0 }
  }

  /** Has the events of orders sent to a sink again. */
  async replay(shard: number, sink: string, orderIds: OrderId[]): Promise<void> {
    if (orderIds.length === 0) return
    await this.group(shard, sink, 'replay').create('start')
    const words = orderIds.flatMap((orderId) => [orderId, '1'])
    await this.#connection.xadd(replayKey(shard, sink), '*', ...words)
  }

  /** Says that entries are done with. A replay is needed by nobody else, and removed. */
  async acknowledge(
    shard: number,
    sink: string,
    source: DeliverySource,
    ids: string[],
  ): Promise<void> {
    await this.group(shard, sink, source).acknowledge(ids)
    if (source === 'replay' && ids.length > 0)
      await this.#connection.xdel(replayKey(shard, sink), ...ids)
  }

  /**
   * Drops entries that a sink holds and that were appended before a time (ms), some at a time. What
   * is younger than `keepMs` by Redis's clock stays: ours may be ahead. Resolves with the number of
   * orders whose event it will not get.
   */
  async drop(shard: number, sink: string, before: number, keepMs: number): Promise<number> {
    let dropped = 0
    for (;;) {
      const args = [sinkGroup(sink), `${before - 1}`, DROPPED_MAX, keepMs]
      const reply = await this.#drop.run(this.#connection, [outboxKey(shard)], args)
      const [entries, orders] = z.tuple([z.number(), z.number()]).parse(reply)
      dropped += orders
      if (entries < DROPPED_MAX) return dropped
    }
  }

  /** Lets a sink need no entry up to this one any more, some at a time. It never goes back. */
  async advance(shard: number, sink: string, id: string): Promise<void> {
    for (;;) {
      const args = [sinkGroup(sink), id, DROPPED_MAX, 0]
      const reply = await this.#drop.run(this.#connection, [outboxKey(shard)], args)
      const [entries] = z.tuple([z.number(), z.number()]).parse(reply)
      if (entries < DROPPED_MAX) return
    }
  }

  /** The ids of the first entry that is kept, if any, and of the last one that there ever was. */
  async extent(shard: number): Promise<{ first: string | undefined; last: string }> {
    const [reply] = z
      .array(z.tuple([z.string(), z.unknown()]))
      .parse(await this.#connection.xrange(outboxKey(shard), '-', '+', 'COUNT', 1))
    const info = z
      .array(z.unknown())
      .parse(await this.#connection.xinfo('STREAM', outboxKey(shard)))
    return { first: reply?.[0], last: String(info[info.indexOf('last-generated-id') + 1]) }
  }

  /** Notes sendings, of which the newest are kept. */
  async note(shard: number, sink: string, deliveries: Delivery[]): Promise<void> {
    const pipeline = this.#connection.pipeline()
    for (const delivery of deliveries)
      pipeline.xadd(
        deliveriesKey(shard, sink),
        'MAXLEN',
        '~',
        DELIVERIES_KEPT,
        '*',
        'sent',
        JSON.stringify(delivery),
      )
    await pipeline.exec()
  }

  /** The newest sendings of a shard, the newest first. */
  async deliveries(shard: number, sink: string, max: number): Promise<Delivery[]> {
    const reply = await this.#connection.xrevrange(
      deliveriesKey(shard, sink),
      '+',
      '-',
      'COUNT',
      max,
    )
    return Notes.parse(reply)
  }
}

const Notes = z.array(
  z
    .tuple([z.string(), z.tuple([z.literal('sent'), z.string()])])
    .transform(([, [, text]]) => JSON.parse(text) as unknown)
    .pipe(
      z.object({
        at: z.number(),
        ms: z.number(),
        result: z.string(),
        orderIds: z.array(z.string().brand<'OrderId'>()),
      }),
    ),
)
