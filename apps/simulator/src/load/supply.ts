import type { ReadyRequest } from './sign-planned.ts'

/** What became of an order's first request: surely accepted, or not (refused, lost). */
export type FirstResult = 'ACCEPTED' | 'UNSURE'

/** How many waiting requests `take` looks at, so that it stays cheap when thousands wait. */
const LOOK_AT_MAX = 64

/**
 * Supplies signed requests in their planned order, but holds a repeat or inquiry back until its
 * order was answered or lost: a changed amount that overtakes its order would become the order. New
 * orders go first meanwhile.
 */
export class Supply {
  readonly #ready: readonly ReadyRequest[]
  readonly #done = new Map<number, FirstResult>()
  /** Planned, but their orders are not done yet. First in, first out. */
  readonly #waiting: ReadyRequest[] = []
  #next = 0
  #upcoming: ReadyRequest | undefined
  taken = 0

  constructor(ready: readonly ReadyRequest[]) {
    this.#ready = ready
    this.#upcoming = this.#find()
  }

  /** Whether nothing can be taken; requests that still wait for their orders are skipped then. */
  get empty(): boolean {
    return this.#upcoming === undefined
  }

  /** The next request. Call only while the supply is not empty. */
  take(): ReadyRequest {
    const taken = this.#upcoming
    if (taken === undefined) throw new Error('the supply is empty')
    this.taken += 1
    this.#upcoming = this.#find()
    return taken
  }

  /**
   * Reports what became of an order's first request, and releases the requests about that order.
   */
  orderDone(order: number, result: FirstResult): void {
    this.#done.set(order, result)
  }

  #find(): ReadyRequest | undefined {
    const at = this.#waiting.slice(0, LOOK_AT_MAX).findIndex(({ order }) => this.#done.has(order))
    const [waited] = at < 0 ? [] : this.#waiting.splice(at, 1)
    if (waited !== undefined) return this.#mayGo(waited) ? waited : this.#find()
    for (let one = this.#ready[this.#next]; one !== undefined; one = this.#ready[this.#next]) {
      this.#next += 1
      if (one.kind === 'new') return one
      if (!this.#done.has(one.order)) this.#waiting.push(one)
      else if (this.#mayGo(one)) return one
    }
    return undefined
  }

  /** An order that was not accepted would rightly be accepted with the other amount. */
  #mayGo({ kind, order }: ReadyRequest): boolean {
    return kind !== 'inconsistent' || this.#done.get(order) === 'ACCEPTED'
  }
}
