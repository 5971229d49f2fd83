import { isResultCode, type ResultCode } from '@placeorder/protocol'
import { z } from 'zod'
import { OrderId } from '../keys.ts'
import { isOutcome, type Outcome, unreadableOutcome } from '../outcome.ts'
import type { RedisConnection } from '../redis/connection.ts'
import { readable } from '../redis/readable.ts'

/**
 * Receives what a worker announces of an order: its outcome, or UNKNOWN_EXCEPTION if it cannot be
 * decided now.
 */
export type Listener = (outcome: ResultCode | Outcome) => void

/** Called for all messages, whether or not anybody listens for their orders. */
export type AnnouncementHandlers = {
  /** The age of a message when it is received, by two clocks (ms). */
  message: (ageMs: number) => void
  order: (shard: number, orderId: OrderId) => void
  /**
   * A message, or an outcome in it, cannot be read: a newer version sent it, or it was damaged.
   * Those who wait read the record.
   */
  unreadable: (error: Error) => void
}

/**
 * The version; the time of the announcement (ms, by Redis's clock); then `OrderId`s and outcomes,
 * alternating.
 */
const Message = z.tuple([z.literal(1), z.string()], z.string())

/**
 * Receives the outcomes announced to one ingress, on a channel of its own for each shard. An
 * announcement is a fast hint; the record is the truth. Messages that are sent while a connection
 * is down are lost: `onGap` is called when it is up again, so that those who still wait can read
 * the record.
 */
export class Announcements {
  readonly #connection: RedisConnection
  readonly #channels: string[]
  readonly #listeners = new Map<OrderId, Set<Listener>>()

  readonly #handlers: AnnouncementHandlers

  /** `channels`: by shard. */
  constructor(connection: RedisConnection, channels: string[], handlers: AnnouncementHandlers) {
    this.#handlers = handlers
    this.#connection = connection
    this.#channels = channels
    connection.on('smessage', (channel: string, message: string) =>
      this.#onMessage(channels.indexOf(channel), message),
    )
  }

  /** Subscribes to the channels; resolves when Redis has confirmed all of them. */
  async open(onGap: (orderIds: OrderId[]) => void): Promise<void> {
    for (const channel of this.#channels) await this.#connection.ssubscribe(channel)
    const mayHaveMissed = () => onGap([...this.#listeners.keys()])
    this.#connection.on('ready', mayHaveMissed)
    // A Cluster has connections of their own for channels, and this event for them.
    this.#connection.on('subscribersReady', mayHaveMissed)
  }

  /** Calls `listener` with all announcements of an order until the returned function is called. */
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

  /** Calls the listeners of an order; also for outcomes that were read from a record. */
  notify(orderId: OrderId, outcome: ResultCode | Outcome): void {
    for (const listener of this.#listeners.get(orderId) ?? []) listener(outcome)
  }

  /** How many orders have listeners. */
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
