import autocannon, { type Client, type Headers, type Histogram, type Request } from 'autocannon'
import { requestTarget, singleHeaders, type Tls } from '../client/place-order-client.ts'
import type { ReadyRequest } from './sign-planned.ts'

export type HttpAnswer = { httpStatus: number; headers: Record<string, string>; body: string }
/** What became of one request. */
export type RequestResult = { request: ReadyRequest; latencyMs: number } & (
  | { kind: 'ANSWERED'; answer: HttpAnswer }
  | { kind: 'TIMED_OUT' }
  | { kind: 'DROPPED' }
)

export type ConnectionOptions = {
  origin: string
  tls: Tls
  /** Requests a second; without a rate each answer triggers the next request. */
  rate: number | undefined
  timeoutMs: number
  /** The next request to send. Called only while the connection is open. */
  next: () => ReadyRequest
  onResult: (result: RequestResult) => void
}

/** How often autocannon checks whether a connection has ended, in ms. */
const CHECK_MS = 50

/** A timer may fire this much early, in ms. */
const TIMER_SLACK_MS = 5

/** Autocannon keeps three histograms of several MiB for each run; we need none of them. */
const noHistogram: Histogram = { __custom: true, recordValue() {}, destroy() {}, reset() {} }

/**
 * One connection of autocannon, with one request in flight at a time.
 *
 * Each connection is an autocannon run of its own: the connections of one run send all of a
 * second's requests together at the start of the second. This class works around autocannon 9:
 *
 * - It repeats a given list; here `next` supplies every request just before it is sent.
 * - After a lost connection it keeps the lost request and the partial answer in its parser, and
 *   then counts every later answer for an earlier request. Both are cleared; the request is
 *   DROPPED.
 * - It ignores `Connection: close` and writes the next request to a connection that nobody reads
 *   any more. That request is sent again over the new connection, and not counted as lost.
 * - At the end of its duration it aborts requests in flight. Here `end` waits for the last answer.
 * - It corrects for coordinated omission with an interval in seconds although its latencies are in
 *   ms. That is switched off; percentiles.ts does it.
 *
 * It never checks the certificate of an https server: the probe of run-load.ts does that first.
 */
export class LoadConnection {
  /** Resolves when the connection has ended, after its last answer. */
  readonly ended: Promise<void>
  readonly #options: ConnectionOptions
  #client: Client | undefined
  #inFlight: { request: ReadyRequest; sentAt: number } | undefined
  #serverCloses = false
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
          sampleInt: CHECK_MS,
          tlsOptions: tls,
          setupClient: (client) => this.#setUp(client),
          histograms: { latencies: noHistogram, requests: noHistogram, throughput: noHistogram },
          skipAggregateResult: true,
        },
        (error) => {
          this.#recordLost()
          if (error === null) resolve()
          else reject(error)
        },
      )
    })
  }

  /** Sends no more requests; the connection ends when the one in flight is answered or lost. */
  end(): void {
    if (this.#client === undefined || this.#ending) return
    this.#ending = true
    const taking = this.#taking ? 1 : 0
    const again = this.#serverCloses && (this.#taking || this.#inFlight !== undefined) ? 1 : 0
    this.#allow(this.#client, taking + again)
  }

  /** Permits so many more requests, at least one in all: autocannon takes 0 for no end. */
  #allow(client: Client, more: number): void {
    client.responseMax = Math.max(client.reqsMade + more, 1)
  }

  #setUp(client: Client): void {
    this.#client = client
    client.setRequests([
      {
        setupRequest: (base) => this.#next(client, base),
        onResponse: (httpStatus, body, _context, headers) => {
          this.#recordAnswer(httpStatus, body, headers)
          if (this.#ending) this.#allow(client, 0)
        },
      },
    ])
  }

  #next(client: Client, base: Request): Request {
    const request = this.#unsent(client) ?? this.#take(client)
    this.#inFlight = { request, sentAt: performance.now() }
    const { url, headers, body } = request.signed
    return { ...base, method: 'POST', path: requestTarget(url), headers: { ...headers }, body }
  }

  /** The request that was written to a connection which the server had said it would close. */
  #unsent(client: Client): ReadyRequest | undefined {
    if (!this.#serverCloses || this.#inFlight === undefined) return undefined
    this.#serverCloses = false
    client.pipelinedRequests.clear()
    return this.#inFlight.request
  }

  #take(client: Client): ReadyRequest {
    if (this.#inFlight !== undefined) {
      client.pipelinedRequests.clear()
      client.parser.initialize('RESPONSE')
      this.#recordLost()
    }
    this.#taking = true
    try {
      return this.#options.next()
    } finally {
      this.#taking = false
    }
  }

  #recordAnswer(httpStatus: number, body: string, headers: Headers): void {
    if (this.#inFlight === undefined) return
    const { request, sentAt } = this.#inFlight
    this.#inFlight = undefined
    const answer = { httpStatus, headers: singleHeaders(headers), body }
    this.#serverCloses = /\bclose\b/i.test(answer.headers.connection ?? '')
    this.#options.onResult({
      kind: 'ANSWERED',
      request,
      latencyMs: performance.now() - sentAt,
      answer,
    })
  }

  #recordLost(): void {
    if (this.#inFlight === undefined) return
    const { request, sentAt } = this.#inFlight
    this.#inFlight = undefined
    if (this.#serverCloses) return // The server never read it, and the run is over.
    const latencyMs = performance.now() - sentAt
    const kind = latencyMs >= this.#options.timeoutMs - TIMER_SLACK_MS ? 'TIMED_OUT' : 'DROPPED'
    this.#options.onResult({ kind, request, latencyMs })
  }
}
