/**
 * Items that wait, in flows: first come, first served within a flow, and the flows take turns. A
 * flow with a thousand items delays another one's item by at most one of its own.
 */
export class FairQueue<T> {
  /** The flows with waiting items, the one whose turn it is first. */
  readonly #flows = new Map<string, Set<T>>()
  #size = 0

  get size(): number {
    return this.#size
  }

  /** How many items of this flow wait. */
  sizeOf(flow: string): number {
    return this.#flows.get(flow)?.size ?? 0
  }

  add(flow: string, item: T): void {
    const items = this.#flows.get(flow) ?? new Set()
    this.#flows.set(flow, items.add(item))
    this.#size += 1
  }

  /** Removes an item before its turn; false if it is not waiting here. */
  delete(flow: string, item: T): boolean {
    const items = this.#flows.get(flow)
    if (!items?.delete(item)) return false
    if (items.size === 0) this.#flows.delete(flow)
    this.#size -= 1
    return true
  }

  /** Removes and returns the item whose turn it is. */
  next(): T | undefined {
    for (const [flow, items] of this.#flows) {
      for (const item of items) {
        this.delete(flow, item)
        // Now the flow is last.
        if (items.size > 0 && this.#flows.delete(flow)) this.#flows.set(flow, items)
        return item
      }
    }
    return undefined
  }

  *[Symbol.iterator](): Generator<T> {
    for (const items of this.#flows.values()) yield* items
  }
}
