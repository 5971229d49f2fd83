import { Cluster } from 'ioredis'
import { joinedKey } from '../keys.ts'
import { connect, type RedisAddress, type RedisConnection } from '../redis/connection.ts'

/** How much longer than its time (ms) a wait may take: then Redis, or the way to it, is silent. */
const SLACK_MS = 250

/**
 * Waits for the first group that joins a job of a shard, on a connection of its own, which is
 * blocked meanwhile. So one job waits at a time. On a Cluster none does: its connections are too
 * many.
 */
export class FirstJoined {
  readonly #shard: number
  readonly #connection: RedisConnection
  readonly #closed = Promise.withResolvers<undefined>()
  #isBusy: boolean

  constructor(address: RedisAddress, shard: number, onError: (error: Error) => void) {
    this.#shard = shard
    this.#connection = connect(address, 'fail-fast')
    this.#connection.on('error', onError)
    this.#isBusy = this.#connection instanceof Cluster
  }

  /** Whether a job may wait now. */
  get isFree(): boolean {
    return !this.#isBusy && this.#connection.status === 'ready'
  }

  /**
   * The group that is first on the job's list, as JSON, once there is one; undefined if none comes
   * within `ms`, Redis is away, or this is closed. It stays on the list: moving an element of a
   * list from its head to its head changes nothing, so a wait that was given up loses nothing.
   */
  async of(jobId: string, ms: number): Promise<string | undefined> {
    const key = joinedKey(this.#shard, jobId)
    this.#isBusy = true
    const first = this.#connection
      .blmove(key, key, 'LEFT', 'LEFT', ms / 1_000)
      .then(
        (group) => group ?? undefined,
        () => undefined, // The job ends, and with it the wait. Its list is read once more.
      )
      .finally(() => {
        this.#isBusy = false
      })
    const late = Promise.withResolvers<undefined>()
    const timer = setTimeout(late.resolve, ms + SLACK_MS, undefined)
    try {
      return await Promise.race([first, late.promise, this.#closed.promise])
    } finally {
      clearTimeout(timer)
    }
  }

  close(): void {
    this.#isBusy = true
    this.#closed.resolve(undefined)
    this.#connection.disconnect()
  }
}
