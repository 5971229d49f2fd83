import { z } from 'zod'
import type { RedisNode } from '../topologies/redis-node.ts'
import { SentEvents } from './sent-events.ts'

/** So many entries are read in one call. */
const ENTRIES_MAX = 1_000

const Entries = z.array(
  z.tuple([
    z.string(),
    z.tuple([z.string(), z.string(), z.string(), z.string(), z.string(), z.string()]),
  ]),
)

/** Reads the stream that a sink appends to. */
export class StreamReader {
  readonly sent: SentEvents
  readonly #node: RedisNode
  readonly #stream: string
  #last = '-'

  constructor(sink: string, node: RedisNode, stream: string) {
    this.sent = new SentEvents(sink)
    this.#node = node
    this.#stream = stream
  }

  /** Reads what was appended since the last call. */
  async read(): Promise<void> {
    for (;;) {
      const from = this.#last
      const words = [this.#stream, from, '+', 'COUNT', ENTRIES_MAX] as const
      const entries = Entries.parse(await this.#node.command('XRANGE', ...words))
      for (const [id, [, , , , , text]] of entries) {
        this.sent.note(this.sent.parse(text) ?? [], true)
        this.#last = `(${id}`
      }
      if (entries.length < ENTRIES_MAX) return
    }
  }
}
