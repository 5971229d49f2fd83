// As much of autocannon 9.0.0 as connection.ts uses. Its version is pinned, because `parser`, `pipelinedRequests`,
// `reqsMade`, `responseMax` and `histograms` are its inside, though it hands each client to `setupClient`.
declare module 'autocannon' {
  export type Headers = Record<string, string | string[]>

  export type Request = {
    method?: string
    path?: string
    headers?: Headers
    body?: Uint8Array
    setupRequest?: (request: Request) => Request
    onResponse?: (status: number, body: string, context: object, headers: Headers) => void
  }

  export type Client = {
    /** Requests sent so far. */
    reqsMade: number
    /** At this many requests it ends, before it sends another. 0: never. */
    responseMax: number
    readonly parser: { initialize(type: 'RESPONSE'): void }
    readonly pipelinedRequests: { clear(): void }
    setRequests(requests: Request[]): void
  }

  export type Histogram = { __custom: true; recordValue(): void; destroy(): void; reset(): void }

  export type Options = {
    url: string
    connections: number
    /** Requests a second of each connection; sent back to back at the begin of each second. */
    connectionRate?: number
    ignoreCoordinatedOmission?: boolean
    /** How many answers end it. */
    amount: number
    /** Seconds. */
    timeout: number
    /** How often it looks whether it has ended, in ms. */
    sampleInt: number
    tlsOptions?: object
    setupClient: (client: Client) => void
    histograms: { latencies: Histogram; requests: Histogram; throughput: Histogram }
    skipAggregateResult: true
  }

  export default function autocannon(options: Options, done: (error: Error | null) => void): object
}
