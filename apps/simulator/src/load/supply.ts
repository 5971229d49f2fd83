import type { Ready } from './sign-ahead.ts'

/** What became of an order when it was sent first: taken in for sure, or not (refused, lost). */
export type Done = 'ACCEPTED' | 'UNSURE'

/** How many of those that wait are looked at, so that taking one stays cheap when thousands wait. */
const LOOK_AT_MAX = 64

/**
 * Hands out signed requests in their planned order, except that what is about an order waits until that order was
 * answered or lost: a changed amount that overtakes its order would be the order. New orders go first meanwhile.
 */
export class Supply {
  readonly #ready: readonly Ready[]
  readonly #done = new Map<number, Done>()
  /** Planned, but its order is not done yet. First in, first out. */
  readonly #waiting: Ready[] = []
  #next = 0
  #upcoming: Ready | undefined
  taken = 0

  constructor(ready: readonly Ready[]) {
    this.#ready = ready
    this.#upcoming = this.#find()
  }

  /** Whether nothing can be taken; what still waits for its order then is left out. */
  get empty(): boolean {
    return this.#upcoming === undefined
  }

  /** The next request. Call only while it is not empty. */
  take(): Ready {
    const taken = this.#upcoming
    if (taken === undefined) throw new Error('nothing is left to take')
    this.taken += 1
    this.#upcoming = this.#find()
    return taken
  }

  /** Says what became of an order when it was sent first, so that what is about it may go. */
  orderDone(order: number, how: Done): void {
    this.#done.set(order, how)
  }

  #find(): Ready | undefined {
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

  /** An order that may not have been taken in would be taken in with the other amount, as is right. */
  #mayGo({ kind, order }: Ready): boolean {
    return kind !== 'inconsistent' || this.#done.get(order) === 'ACCEPTED'
  }
}
