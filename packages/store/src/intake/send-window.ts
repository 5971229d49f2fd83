import type { OrderId } from '../keys.ts'

/**
 * While a group is undecided, the next one is held back for so long (ms), unless it is full: so a worker that is behind
 * gets larger groups and not more of them. Measured with 64 signed orders in hand: groups of 33 orders instead of 14, a tenth more
 * orders a second, and no order waits longer.
 */
const HOLD_MS = 50

/** The most groups of an ingress that are undecided at once, but for full ones: as many as a worker works on by itself. */
const SIZE_MAX = 8

/** A group that takes longer than the fastest by this factor has queued behind others. */
const QUEUED = 1.5

/** By this factor the fastest is forgotten with each group: what made groups fast may have ended. */
const FORGOTTEN = 1.05

/** A group on its way: sent, and not decided yet, but for `announced` of the `awaited` orders. Time in ms. */
export type SentGroup = {
  at: number
  orderIds: OrderId[]
  awaited: number
  announced: number
  lost: NodeJS.Timeout
}

/**
 * How many groups of one shard an ingress has on their way undecided. One, while a group is decided within `HOLD_MS`;
 * beyond that as many as make none wait for another: workers may have slow checks and work on several at once. So the
 * window of TCP Vegas grows and shrinks, and for the same reason: whoever sends more only makes the queue longer.
 */
export class SendWindow {
  readonly #lostMs: number
  readonly #sent = new Set<SentGroup>()
  readonly #groupOf = new Map<OrderId, SentGroup>()
  #size = 1
  #fastestMs = Number.POSITIVE_INFINITY
  #held = false
  #go = () => {}

  /** `lostMs`: a group of which nothing was heard for so long (ms) is waited for no longer. */
  constructor(lostMs: number) {
    this.#lostMs = lostMs
  }

  /** How many groups may be undecided now. */
  get size(): number {
    return Math.floor(this.#size)
  }

  /** Notes that a group goes on its way. */
  noteSent(orderIds: OrderId[]): SentGroup {
    const lost = setTimeout(() => this.#decided(sent), this.#lostMs).unref()
    const sent = {
      at: performance.now(),
      orderIds,
      awaited: orderIds.length,
      announced: 0,
      lost,
    }
    this.#sent.add(sent)
    for (const orderId of orderIds) this.#groupOf.set(orderId, sent)
    return sent
  }

  /**
   * Notes that an order was announced. With more than half of its orders a group counts as decided: the outcomes of a large one
   * come in parts, and those that follow upon the first would make a small group; one slow order holds nobody back.
   */
  noteAnnounced(orderId: OrderId): void {
    const sent = this.#groupOf.get(orderId)
    if (sent === undefined) return
    sent.announced += 1
    this.#concludeIfDue(sent)
  }

  /** Notes how many of a group were taken in: nothing is announced of repeats. With none it came to nothing, and is forgotten. */
  noteClaimed(sent: SentGroup, orders: number): void {
    sent.awaited = orders
    if (orders === 0) this.#forget(sent)
    else this.#concludeIfDue(sent)
  }

  #concludeIfDue(sent: SentGroup): void {
    if (2 * sent.announced > sent.awaited) this.#decided(sent)
  }

  #forget(sent: SentGroup): void {
    if (!this.#sent.delete(sent)) return
    clearTimeout(sent.lost)
    for (const orderId of sent.orderIds)
      if (this.#groupOf.get(orderId) === sent) this.#groupOf.delete(orderId)
    this.#openIfDue()
  }

  /** Resolves when the next group may go. */
  async whenOpen(): Promise<void> {
    const room = Promise.withResolvers<void>()
    this.#go = room.resolve
    this.#held = false
    const hold = setTimeout(() => {
      this.#held = true
      this.#openIfDue()
    }, HOLD_MS)
    this.#openIfDue()
    await room.promise
    clearTimeout(hold)
  }

  /** Lets the next group go now: it is full, and to hold it back would gain nothing. */
  openNow(): void {
    this.#go()
  }

  #decided(sent: SentGroup): void {
    if (!this.#sent.has(sent)) return // Its outcomes were quicker than the answer to its claim.
    const ms = performance.now() - sent.at
    this.#fastestMs = Math.min(ms, this.#fastestMs * FORGOTTEN)
    this.#size =
      ms > QUEUED * this.#fastestMs
        ? Math.max(1, this.#size / 2)
        : Math.min(this.#size + 0.5, SIZE_MAX)
    this.#forget(sent)
  }

  #openIfDue(): void {
    if (this.#sent.size === 0 || (this.#held && this.#sent.size < this.size)) this.#go()
  }
}
