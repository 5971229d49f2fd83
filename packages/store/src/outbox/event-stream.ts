import { once } from 'node:events'
import { connect, disconnect, type RedisAddress } from '../redis/connection.ts'

/** How long an append waits for the connection (ms). */
const READY_MS_MAX = 5_000

/** A stream of the operator's that events are appended to, in a Redis that may be another one. */
export class EventStream {
  readonly #connection
  readonly #stream: string
  readonly #maxLen: number

  constructor({ url, stream, maxLen }: { url: string; stream: string; maxLen: number }) {
    const address: RedisAddress = { urls: [url], cluster: false, sentinels: [], sentinelName: '' }
    this.#connection = connect(address, 'fail-fast')
    this.#connection.on('error', () => {}) // Failing commands reject at their callers.
    this.#stream = stream
    this.#maxLen = maxLen
  }

  /**
   * Appends events in their order.
   *
   * @throws if one of them may not have been appended
   */
  async append(events: readonly { id: string; type: string; text: string }[]): Promise<void> {
    if (this.#connection.status !== 'ready')
      await once(this.#connection, 'ready', { signal: AbortSignal.timeout(READY_MS_MAX) })
    const pipeline = this.#connection.pipeline()
    for (const { id, type, text } of events)
      pipeline.xadd(
        this.#stream,
        'MAXLEN',
        '~',
        this.#maxLen,
        '*',
        'id',
        id,
        'type',
        type,
        'event',
        text,
      )
    const failed = (await pipeline.exec())?.find(([error]) => error !== null)?.[0]
    if (failed) throw failed
  }

  close(): Promise<void> {
    return disconnect(this.#connection)
  }
}
