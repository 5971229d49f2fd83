import type { OrderId } from '../keys.ts'

/**
 * A group that is undecided for this long (ms) shows that the workers are behind. While there is
 * one, the next group is held back, for as long again, unless it is full: workers that are behind
 * get larger groups instead of more of them.
 */
const HOLD_MS = 50

/**
 * The most undecided groups of an ingress, not counting full ones: as many as one worker processes
 * at once.
 */
const SIZE_MAX = 8

/** A group that took longer than the fastest by this factor has queued behind others. */
const QUEUED = 1.5

/** The fastest time grows by this factor with each group: what made groups fast may have ended. */
const FORGETTING = 1.05

/** A group in flight: `announced` of its `awaited` orders are decided. Time in ms. */
export type SentGroup = {
  at: number
  orderIds: OrderId[]
  awaited: number
  announced: number
  lost: NodeJS.Timeout
}

/**
 * Bounds the groups of one shard that an ingress has in flight while workers are behind; otherwise
 * each is sent at once. If groups take longer than `HOLD_MS`, as many are in flight as do not wait
 * for each other: workers may have slow checks and process several groups at once. It grows and
 * shrinks like the window of TCP Vegas, for the same reason: beyond it, more groups only make the
 * queue longer.
 */
export class SendWindow {
  readonly #lostMs: number
  readonly #sent = new Set<SentGroup>()
  readonly #groupOf = new Map<OrderId, SentGroup>()
  #size = 1
  #fastestMs = Number.POSITIVE_INFINITY
  #held = false
  #go = () => {}

  /** `lostMs`: a group that is not announced within this time (ms) counts as decided. */
  constructor(lostMs: number) {
    this.#lostMs = lostMs
  }

  /** How many groups may be in flight while workers are behind. */
  get size(): number {
    return Math.floor(this.#size)
  }

  /** Notes that a group is sent. */
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
   * Notes that an order was announced. A group counts as decided with more than half of its orders:
   * the outcomes of a large group come in parts, and if the first part were enough, the next group
   * would be small; and one slow order must not hold back the next group.
   */
  noteAnnounced(orderId: OrderId): void {
    const sent = this.#groupOf.get(orderId)
    if (sent === undefined) return
    sent.announced += 1
    this.#concludeIfDue(sent)
  }

  /**
   * Notes how many orders of a group are new: repeats are not announced. A group without any is
   * forgotten.
   */
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

  /** Resolves when the next group may be sent. */
  async whenOpen(): Promise<void> {
    this.#held = false
    if (this.#isOpen) return
    const room = Promise.withResolvers<void>()
    this.#go = room.resolve
    const hold = setTimeout(() => {
      this.#held = true
      this.#openIfDue()
    }, HOLD_MS)
    await room.promise
    clearTimeout(hold)
  }

  /** Opens the window now: the next group is full, so that holding it back would gain nothing. */
  openNow(): void {
    this.#go()
  }

  #decided(sent: SentGroup): void {
    if (!this.#sent.has(sent)) return // Its outcomes came before the reply to its claim.
    const ms = performance.now() - sent.at
    this.#fastestMs = Math.min(ms, this.#fastestMs * FORGETTING)
    this.#size =
      ms > QUEUED * this.#fastestMs
        ? Math.max(1, this.#size / 2)
        : Math.min(this.#size + 0.5, SIZE_MAX)
    this.#forget(sent)
  }

  #openIfDue(): void {
    if (this.#isOpen) this.#go()
  }

  get #isOpen(): boolean {
    const [oldest] = this.#sent
    const isBehind = oldest !== undefined && performance.now() - oldest.at >= HOLD_MS
    return !isBehind || (this.#held && this.#sent.size < this.size)
  }
}
