// The part of autocannon 9.0.0 that load-connection.ts uses. The version is pinned: `parser`,
// `pipelinedRequests`, `reqsMade`, `responseMax` and `histograms` are internals, though
// `setupClient` is given each client.
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
    /** The client ends at this many requests, before it sends another. 0: never. */
    responseMax: number
    readonly parser: { initialize(type: 'RESPONSE'): void }
    readonly pipelinedRequests: { clear(): void }
    setRequests(requests: Request[]): void
  }

  export type Histogram = { __custom: true; recordValue(): void; destroy(): void; reset(): void }

  export type CommandOptions = {
    url: string
    connections: number
    /** Requests a second of each connection; sent back to back at the start of each second. */
    connectionRate?: number
    ignoreCoordinatedOmission?: boolean
    /** Ends after so many answers. */
    amount: number
    /** Seconds. */
    timeout: number
    /** How often it checks whether it has ended, in ms. */
    sampleInt: number
    tlsOptions?: object
    setupClient: (client: Client) => void
    histograms: { latencies: Histogram; requests: Histogram; throughput: Histogram }
    skipAggregateResult: true
  }

  export default function autocannon(
    options: CommandOptions,
    done: (error: Error | null) => void,
  ): object
}
