import type { RedisConnection } from '@placeorder/store'

type Waiting = PromiseWithResolvers<boolean> & { paymentId: string }

/**
 * Claims paymentIds durably, each once. All that arrive while a round trip is under way go with the
 * next one, so that they share its sync.
 */
export class Claims {
  readonly #connection: RedisConnection
  #waiting: Waiting[] = []
  #busy = false

  constructor(connection: RedisConnection) {
    this.#connection = connection
  }

  /** Resolves with whether the paymentId was free. */
  claim(paymentId: string): Promise<boolean> {
    const claimed = { ...Promise.withResolvers<boolean>(), paymentId }
    this.#waiting.push(claimed)
    if (!this.#busy) void this.#run()
    return claimed.promise
  }

  async #run(): Promise<void> {
    this.#busy = true
    while (this.#waiting.length > 0) {
      const group = this.#waiting
      this.#waiting = []
      const pipeline = this.#connection.pipeline()
      for (const { paymentId } of group) pipeline.set(`claim:${paymentId}`, '1', 'NX')
      const replies = await pipeline.exec()
      for (const [i, { resolve, reject }] of group.entries()) {
        const [error, reply] = replies?.[i] ?? [new Error('Redis did not reply')]
        if (error === null) resolve(reply === 'OK')
        else reject(error)
      }
    }
    this.#busy = false
  }
}
