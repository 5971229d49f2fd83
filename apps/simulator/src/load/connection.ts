import autocannon, { type Client, type Headers, type Histogram, type Request } from 'autocannon'
import type { Tls } from '../client/caller.ts'
import { targetOf } from '../client/caller.ts'
import type { Ready } from './sign-ahead.ts'

/** What came back for one request. */
export type Answered = { httpStatus: number; headers: Record<string, string>; body: string }
export type Landed = { one: Ready; latencyMs: number } & (
  | { kind: 'ANSWERED'; answered: Answered }
  | { kind: 'TIMED_OUT' }
  | { kind: 'DROPPED' }
)

export type ConnectionOptions = {
  origin: string
  tls: Tls
  /** Requests a second; without one the next request goes when the answer is there. */
  rate: number | undefined
  timeoutMs: number
  /** The next request to send. Called only while the connection is not ended. */
  take: () => Ready
  onLanded: (landed: Landed) => void
}

/** How often autocannon looks whether a connection has ended, in ms: so much later it is noticed. */
const LOOK_MS = 50

/** A timer may fire this much early, in ms. */
const TIMER_SLACK_MS = 5

/** Autocannon keeps three histograms of several MiB for each run; ours are elsewhere. */
const noHistogram: Histogram = { __custom: true, recordValue() {}, destroy() {}, reset() {} }

/**
 * One connection of autocannon, with one request on its way at a time.
 *
 * Each connection is an autocannon run of its own, since runs that start apart send apart: connections of one run send
 * all of a second's requests together when the second begins. And autocannon 9 is mended in these points:
 *
 * - It repeats a given list; here every request is taken from `take`, just before it is sent.
 * - When a connection is lost it forgets neither the lost request nor the half answer in its parser, so that every
 *   later answer would be counted for an earlier request. Both are cleared, and the request is counted as DROPPED.
 * - It ignores `Connection: close` and writes the next request to a connection nobody reads any more. That request is
 *   sent again over the new connection, and not counted as lost.
 * - At the end of its duration it cuts off what is on its way. Here `end` lets the last answer come.
 * - It corrects for coordinated omission with an interval in seconds where its latencies are in ms. That is switched
 *   off; percentiles.ts does it.
 *
 * It never checks the certificate of an https server: the caller looks at that before.
 */
export class Connection {
  /** Settles when the connection has ended, after its last answer. */
  readonly ended: Promise<void>
  readonly #options: ConnectionOptions
  #client: Client | undefined
  #onTheWay: { one: Ready; sentAt: number } | undefined
  #toldToClose = false
  #taking = false
  #ending = false

  constructor(options: ConnectionOptions) {
    this.#options = options
    const { origin, rate, tls, timeoutMs } = options
    this.ended = new Promise((resolve, reject) => {
      autocannon(
        {
          url: origin,
          connections: 1,
          ...(rate === undefined ? {} : { connectionRate: rate, ignoreCoordinatedOmission: true }),
          amount: Number.MAX_SAFE_INTEGER,
          timeout: timeoutMs / 1000,
          sampleInt: LOOK_MS,
          tlsOptions: tls,
          setupClient: (client) => this.#adopt(client),
          histograms: { latencies: noHistogram, requests: noHistogram, throughput: noHistogram },
          skipAggregateResult: true,
        },
        (error) => {
          this.#lose()
          if (error === null) resolve()
          else reject(error)
        },
      )
    })
  }

  /** Sends nothing more. What is on its way may still be answered; then the connection has ended. */
  end(): void {
    if (this.#client === undefined || this.#ending) return
    this.#ending = true
    const taking = this.#taking ? 1 : 0
    const again = this.#toldToClose && (this.#taking || this.#onTheWay !== undefined) ? 1 : 0
    this.#allow(this.#client, taking + again)
  }

  /** Lets so many more requests go. One is always made; 0 would mean no end to autocannon. */
  #allow(client: Client, more: number): void {
    client.responseMax = Math.max(client.reqsMade + more, 1)
  }

  #adopt(client: Client): void {
    this.#client = client
    client.setRequests([
      {
        setupRequest: (request) => this.#next(client, request),
        onResponse: (httpStatus, body, _context, headers) => {
          this.#land(httpStatus, body, headers)
          if (this.#ending) this.#allow(client, 0)
        },
      },
    ])
  }

  #next(client: Client, request: Request): Request {
    const one = this.#unread(client) ?? this.#take(client)
    this.#onTheWay = { one, sentAt: performance.now() }
    const { url, headers, body } = one.signed
    return { ...request, method: 'POST', path: targetOf(url), headers: { ...headers }, body }
  }

  /** The request that went to a connection whose other end had said it would close it. */
  #unread(client: Client): Ready | undefined {
    if (!this.#toldToClose || this.#onTheWay === undefined) return undefined
    this.#toldToClose = false
    client.pipelinedRequests.clear()
    return this.#onTheWay.one
  }

  #take(client: Client): Ready {
    if (this.#onTheWay !== undefined) {
      client.pipelinedRequests.clear()
      client.parser.initialize('RESPONSE')
      this.#lose()
    }
    this.#taking = true
    try {
      return this.#options.take()
    } finally {
      this.#taking = false
    }
  }

  #land(httpStatus: number, body: string, headers: Headers): void {
    if (this.#onTheWay === undefined) return
    const { one, sentAt } = this.#onTheWay
    this.#onTheWay = undefined
    const answered = { httpStatus, headers: inLowerCase(headers), body }
    this.#toldToClose = /\bclose\b/i.test(answered.headers.connection ?? '')
    this.#options.onLanded({
      kind: 'ANSWERED',
      one,
      latencyMs: performance.now() - sentAt,
      answered,
    })
  }

  #lose(): void {
    if (this.#onTheWay === undefined) return
    const { one, sentAt } = this.#onTheWay
    this.#onTheWay = undefined
    if (this.#toldToClose) return // Nobody read it, and now the run is over.
    const latencyMs = performance.now() - sentAt
    const kind = latencyMs >= this.#options.timeoutMs - TIMER_SLACK_MS ? 'TIMED_OUT' : 'DROPPED'
    this.#options.onLanded({ kind, one, latencyMs })
  }
}

function inLowerCase(headers: Headers): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), [value].flat().join(', ')]),
  )
}
