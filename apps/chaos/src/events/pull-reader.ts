import { setTimeout as wait } from 'node:timers/promises'
import { OrderEvent } from '@placeorder/events'
import { z } from 'zod'
import { SentEvents } from './sent-events.ts'

/** How long a page may take (ms), and the pause after one that is empty or did not come. */
const PAGE_MS_MAX = 5_000
const PAUSE_MS = 200

/** So much earlier an order may be concluded by a clock of Redis that was set back (ms). */
const CLOCK_BACK_MS_MAX = 7 * 86_400_000

const Page = z.object({ events: z.array(OrderEvent), next: z.string() })
const Gone = z.object({ begin: z.string() })

export type PullReaderOptions = {
  token: string
  /** Where notifiers answer. */
  origins: () => readonly string[]
  /** Whether old events come out of an archive. */
  hasArchive: boolean
}

/** Pulls events, page by page, from one notifier after the other. */
export class PullReader {
  readonly sent = new SentEvents('pull')
  readonly #options: PullReaderOptions
  readonly #since = new Date(Date.now() - CLOCK_BACK_MS_MAX).toISOString()
  /** The query of the next page. */
  #query = ''
  #pages = 0

  constructor(options: PullReaderOptions) {
    this.#options = options
  }

  /** Resolves with the first cursor: everything after it will be pulled. */
  async begin(): Promise<void> {
    while (this.#query === '') await this.#turn()
  }

  /** Pulls until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) await this.#turn()
  }

  /** Pulls a page, or waits for a moment. */
  async #turn(): Promise<void> {
    const origins = this.#options.origins()
    this.#pages += 1
    const origin = origins[this.#pages % origins.length]
    const isMore = await this.#page(`${origin}/events${this.#query}`).catch(() => false)
    if (!isMore) await wait(PAUSE_MS)
  }

  /** Pulls a page. Resolves with whether there may be more. */
  async #page(url: string): Promise<boolean> {
    const response = await fetch(url, {
      headers: { authorization: `Bearer ${this.#options.token}` },
      signal: AbortSignal.timeout(PAGE_MS_MAX),
    })
    const body: unknown = await response.json()
    if (response.status === 410) {
      const { begin } = Gone.parse(body)
      this.#query = this.#options.hasArchive ? `?since=${this.#since}` : `?after=${begin}`
      return true
    }
    if (response.status !== 200) return false
    const { events, next } = Page.parse(body)
    this.sent.note(events, true)
    this.#query = `?after=${next}`
    return events.length > 0
  }
}
