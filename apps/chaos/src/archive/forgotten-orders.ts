import { setTimeout as wait } from 'node:timers/promises'
import { connect, disconnect, OrderId, shardOf } from '@placeorder/store'
import { orderKey } from '@placeorder/store/keys'
import type { System } from '@placeorder/testkit'
import { History } from '../history/history.ts'
import { isFinalAnswer } from '../recovery.ts'

/** How often Redis is asked (ms). */
const LOOK_MS = 500

/** Finds out which orders Redis has forgotten, to know which answers came out of the archive. */
export class ForgottenOrders {
  readonly #history: History
  /** Since when each is known to be forgotten (ms). */
  readonly #since = new Map<string, number>()
  /** Those with a final answer that Redis still has. */
  readonly #kept = new Set<string>()
  #calls = 0

  constructor(history: History) {
    this.#history = history
  }

  /** How many final answers came out of the archive. */
  get answers(): number {
    return this.#history.calls.filter(
      ({ orderId, sentAt, ending }) =>
        isFinalAnswer(ending) && sentAt >= (this.#since.get(orderId) ?? Number.POSITIVE_INFINITY),
    ).length
  }

  /** Looks until `signal` aborts. While Redis is away, nothing is known to be forgotten. */
  async watch(
    { address, shards }: Pick<System, 'address' | 'shards'>,
    signal: AbortSignal,
  ): Promise<void> {
    const connection = connect(address, 'fail-fast')
    connection.on('error', () => {}) // It is away now and then.
    const look = async (orderId: string) => {
      const id = OrderId.parse(orderId)
      if ((await connection.exists(orderKey(shardOf(id, shards), id))) === 0) this.#note(orderId)
    }
    while (!signal.aborted) {
      await wait(LOOK_MS, undefined, { signal }).catch(() => {})
      this.#noteCalls()
      await Promise.allSettled([...this.#kept].map(look))
    }
    await disconnect(connection)
  }

  #noteCalls(): void {
    const { calls } = this.#history
    for (; this.#calls < calls.length; this.#calls += 1) {
      const call = calls[this.#calls]
      if (call !== undefined && isFinalAnswer(call.ending) && !this.#since.has(call.orderId))
        this.#kept.add(call.orderId)
    }
  }

  #note(orderId: string): void {
    this.#kept.delete(orderId)
    this.#since.set(orderId, History.now())
  }
}
