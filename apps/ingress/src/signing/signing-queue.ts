import { FairQueue } from './fair-queue.ts'

/**
 * Whose answer is signed first: an order of a known client; its inquiry, or a refusal; an answer to a stranger; and, when
 * there is nothing else to do, an answer that will be needed, most likely.
 */
const ranks = ['order', 'known', 'stranger', 'ahead'] as const
export type Rank = (typeof ranks)[number]

/** When it is an answer's turn: flows of one rank take turns, and past `deadlineAt` (of performance.now) it has none. */
export type Turn = { rank: Rank; flow: string; deadlineAt: number }

/** One of so many signatures is for `known` also while orders wait: a client that floods us with orders ends no inquiry. */
const KNOWN_EVERY = 8

/**
 * How much work (ms) each thread of the pool is given ahead, so that it never waits for a turn of the event loop; what is in
 * the pool is past all ranks. A slow signature is alone on its thread.
 */
const POOL_MS = 4
const POOL_PER_THREAD_MAX = 8

/** So many of the last signatures say how long one takes: the shortest of them, since a pause of ours makes none longer. */
const MEASURED = 16

/** How often the queue is searched for what is past its deadline, in ms: P4 leaves 200 ms for it and one more signature. */
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

/** Has signatures made on the threads of libuv's pool, which takes what comes first: so it is given little at a time. */
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

  /** How long one signature takes on its thread, in ms. Before one was made, it is taken for slow. */
  get signMs(): number {
    return this.#measured.length === 0 ? POOL_MS : Math.min(...this.#measured)
  }

  /** How long it takes until one more signature is made while all threads sign, in ms. */
  get paceMs(): number {
    return this.signMs / this.#threads
  }

  /** Does `work` in its turn. The signature rejects with SigningTimeout when that did not come by the deadline. */
  add(work: () => Promise<string>, turn: Turn): SigningTask {
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    const signing: SigningTask = { work, turn, signature: promise, resolve, reject }
    promise.catch(() => {}) // Whoever waits for it hears of it, if anybody does.
    this.#enqueue(signing)
    this.#sweep ??= this.#sweepLater()
    return signing
  }

  /** Somebody else needs this signature too, and may need it before its turn. */
  promote(signing: SigningTask, turn: Turn): void {
    const sooner = ranks.indexOf(turn.rank) < ranks.indexOf(signing.turn.rank)
    if (!sooner || !this.drop(signing)) return
    signing.turn = turn
    this.#enqueue(signing)
  }

  /** Nobody needs this signature any more; false if it is being made already. */
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
      this.#run(signing).catch(() => {}) // What went wrong is in its signature.
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
