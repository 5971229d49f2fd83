import { FairQueue } from './fair-queue.ts'

/**
 * What is signed first: the answer to an order of a known client; to its inquiry, or a refusal; to
 * a stranger; and, when there is nothing else to do, a likely answer ahead of time.
 */
const ranks = ['order', 'known', 'stranger', 'ahead'] as const
export type Rank = (typeof ranks)[number]

/**
 * When an answer is signed: flows of one rank take turns, and after `deadlineAt` (of
 * performance.now) it is not signed.
 */
export type Turn = { rank: Rank; flow: string; deadlineAt: number }

/**
 * One of so many signatures is for `known` even while orders wait: a client that floods us with
 * orders does not starve inquiries.
 */
const KNOWN_EVERY = 8

/**
 * How much work (ms) each thread of the pool is given ahead, so that it never waits for the event
 * loop; work in the pool can no longer be overtaken. A slow signature is alone on its thread.
 */
const POOL_MS = 4
const POOL_PER_THREAD_MAX = 8

/**
 * The shortest of this many last signatures counts as the time of one, since a pause of the process
 * only makes them longer.
 */
const MEASURED = 16

/**
 * How often signatures past their deadline are removed, in ms: P4 leaves 200 ms for that and one
 * more signature.
 */
const SWEEP_MS = 40

/** A signature was not made by its deadline. */
export class SigningTimeout extends Error {
  constructor() {
    super('its answer was not signed in time')
    this.name = 'SigningTimeout'
  }
}

/** A signature that is waiting, being made, or made. */
export type SigningTask = {
  turn: Turn
  work: () => Promise<string>
  signature: Promise<string>
  resolve: (signature: Promise<string>) => void
  reject: (reason: SigningTimeout) => void
}

/**
 * Makes signatures on the threads of libuv's pool, which is first come, first served: so it is
 * given little at a time.
 */
export class SigningQueue {
  readonly #threads: number
  readonly #waiting: Record<Rank, FairQueue<SigningTask>> = {
    order: new FairQueue(),
    known: new FairQueue(),
    stranger: new FairQueue(),
    ahead: new FairQueue(),
  }
  readonly #measured: number[] = []
  #turns = 0
  #running = 0
  #strangersRunning = 0
  #sweep: NodeJS.Timeout | undefined

  constructor(threads: number) {
    this.#threads = threads
  }

  /** Signatures being made or waiting. */
  get size(): number {
    return ranks.reduce((sum, rank) => sum + this.#waiting[rank].size, this.#running)
  }

  /** How many of a flow wait for their turn. */
  sizeOf({ rank, flow }: Turn): number {
    return this.#waiting[rank].sizeOf(flow)
  }

  /**
   * How long one signature takes on its thread, in ms; until the first was made, it is assumed to
   * be slow.
   */
  get signMs(): number {
    return this.#measured.length === 0 ? POOL_MS : Math.min(...this.#measured)
  }

  /** How long one more signature takes while all threads sign, in ms. */
  get paceMs(): number {
    return this.signMs / this.#threads
  }

  /**
   * Runs `work` in its turn. The signature rejects with SigningTimeout if its turn has not come by
   * the deadline.
   */
  add(work: () => Promise<string>, turn: Turn): SigningTask {
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    const signing: SigningTask = { work, turn, signature: promise, resolve, reject }
    promise.catch(() => {}) // Whoever awaits it gets the rejection.
    this.#enqueue(signing)
    this.#sweep ??= this.#sweepLater()
    return signing
  }

  /** Moves a signature up to a sooner turn, because another answer needs it too. */
  promote(signing: SigningTask, turn: Turn): void {
    const sooner = ranks.indexOf(turn.rank) < ranks.indexOf(signing.turn.rank)
    if (!sooner || !this.drop(signing)) return
    signing.turn = turn
    this.#enqueue(signing)
  }

  /** Drops a signature that is no longer needed; false if it is being made already. */
  drop(signing: SigningTask): boolean {
    return this.#waiting[signing.turn.rank].delete(signing.turn.flow, signing)
  }

  #enqueue(signing: SigningTask): void {
    this.#waiting[signing.turn.rank].add(signing.turn.flow, signing)
    this.#start()
  }

  #start(): void {
    const perThread = Math.min(Math.ceil(POOL_MS / this.signMs), POOL_PER_THREAD_MAX)
    for (const most = this.#threads * perThread; this.#running < most; ) {
      const signing = this.#next()
      if (signing === undefined) return
      this.#run(signing).catch(() => {}) // The error is in its signature.
    }
  }

  #next(): SigningTask | undefined {
    const { order, known, stranger, ahead } = this.#waiting
    this.#turns += 1
    const first = this.#turns % KNOWN_EVERY === 0 ? known.next() : undefined
    return (
      first ??
      order.next() ??
      known.next() ??
      (this.#strangersRunning === 0 ? stranger.next() : undefined) ??
      (this.#running < this.#threads ? ahead.next() : undefined)
    )
  }

  async #run(signing: SigningTask): Promise<void> {
    const isStranger = signing.turn.rank === 'stranger'
    const startedAt = performance.now()
    this.#running += 1
    this.#strangersRunning += Number(isStranger)
    const isAlone = this.#running <= this.#threads
    const signed = signing.work()
    signing.resolve(signed)
    try {
      await signed
      if (isAlone) this.#measure(performance.now() - startedAt)
    } finally {
      this.#running -= 1
      this.#strangersRunning -= Number(isStranger)
      this.#start()
    }
  }

  #measure(ms: number): void {
    this.#measured.push(ms)
    if (this.#measured.length > MEASURED) this.#measured.shift()
  }

  #sweepLater(): NodeJS.Timeout {
    return setTimeout(() => {
      const now = performance.now()
      const waiting = ranks.flatMap((rank) => [...this.#waiting[rank]])
      for (const signing of waiting)
        if (signing.turn.deadlineAt <= now && this.drop(signing))
          signing.reject(new SigningTimeout())
      this.#sweep = waiting.length > 0 ? this.#sweepLater() : undefined
    }, SWEEP_MS).unref()
  }
}
