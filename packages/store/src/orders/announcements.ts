import { isResultCode, type ResultCode } from '@placeorder/protocol'
import { z } from 'zod'
import { OrderId } from '../keys.ts'
import { isOutcome, type Outcome, unreadableOutcome } from '../outcome.ts'
import type { RedisConnection } from '../redis/connection.ts'
import { readable } from '../redis/readable.ts'

/** What a worker says of an order: its outcome, or UNKNOWN_EXCEPTION when it cannot be decided now. */
export type Listener = (outcome: ResultCode | Outcome) => void

/** Told of what is heard, whether or not somebody listens for it. */
export type AnnouncementHandlers = {
  /** How old a message is when it is heard, by two clocks (ms). */
  message: (ageMs: number) => void
  order: (shard: number, orderId: OrderId) => void
  /** A message, or an outcome in it, cannot be read: a newer version sent it, or it was damaged. Who waits reads the record. */
  unreadable: (error: Error) => void
}

/** The version, the time it was announced at (ms, by Redis's clock), then `OrderId` and outcome in turn. */
const Message = z.tuple([z.literal(1), z.string()], z.string())

/**
 * The outcomes announced to one ingress, on one channel of its own for each shard. An announcement is a hint that
 * comes fast; the record is the truth. Whatever is announced while a connection is down is not heard: `onGap` is called
 * when it is up again, so that those still waiting can look at the record.
 */
export class Announcements {
  readonly #connection: RedisConnection
  readonly #channels: string[]
  readonly #listeners = new Map<OrderId, Set<Listener>>()

  readonly #handlers: AnnouncementHandlers

  /** `channels`: the channel of each shard; its position is the shard. */
  constructor(connection: RedisConnection, channels: string[], heard: AnnouncementHandlers) {
    this.#handlers = heard
    this.#connection = connection
    this.#channels = channels
    connection.on('smessage', (channel: string, message: string) =>
      this.#onMessage(channels.indexOf(channel), message),
    )
  }

  /** Listens on the channels; resolves when Redis has confirmed all of them. */
  async open(onGap: (orderIds: OrderId[]) => void): Promise<void> {
    for (const channel of this.#channels) await this.#connection.ssubscribe(channel)
    const mayHaveMissed = () => onGap([...this.#listeners.keys()])
    this.#connection.on('ready', mayHaveMissed)
    this.#connection.on('subscribersReady', mayHaveMissed) // So a Cluster calls it, which keeps connections of their own for this.
  }

  /** Calls `listener` with all that is announced of an order until the returned function is called. */
  listen(orderId: OrderId, listener: Listener): () => void {
    const listeners = this.#listeners.get(orderId) ?? new Set()
    listeners.add(listener)
    this.#listeners.set(orderId, listeners)
    return () => {
      listeners.delete(listener)
      if (listeners.size === 0 && this.#listeners.get(orderId) === listeners)
        this.#listeners.delete(orderId)
    }
  }

  /** Tells those who wait for an order; used for what came by another way than a channel. */
  notify(orderId: OrderId, outcome: ResultCode | Outcome): void {
    for (const listener of this.#listeners.get(orderId) ?? []) listener(outcome)
  }

  /** How many orders are listened for. */
  get size(): number {
    return this.#listeners.size
  }

  #onMessage(shard: number, message: string): void {
    const read = readable(() => Message.parse(JSON.parse(message)))
    if (read instanceof Error) {
      this.#handlers.unreadable(read)
      return
    }
    const [, announcedAt, ...words] = read
    this.#handlers.message(Date.now() - Number(announcedAt))
    for (let at = 0; at + 1 < words.length; at += 2) {
      const [text, outcome = ''] = words.slice(at, at + 2)
      const orderId = OrderId.parse(text)
      this.#handlers.order(shard, orderId)
      if (isResultCode(outcome) || isOutcome(outcome)) this.notify(orderId, outcome)
      else this.#handlers.unreadable(unreadableOutcome())
    }
  }
}
