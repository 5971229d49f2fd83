import { createRequire } from 'node:module'

// As much of autocannon 9.0.0 as is used here; it has no types of its own. Its version is pinned, because
// getRequestBuffer is its inside, though it hands each client to setupClient.

export type Client = {
  getRequestBuffer: () => Buffer
  on: {
    (event: 'response', listener: (status: number, bytes: number, ms: number) => void): void
    (event: 'connError', listener: (error: Error) => void): void
    (event: 'timeout', listener: () => void): void
  }
}

export type Histogram = { __custom: true; recordValue(): void; destroy(): void; reset(): void }

export type Options = {
  url: string
  connections: number
  /** Requests a second of each connection. */
  connectionRate?: number
  ignoreCoordinatedOmission?: boolean
  /** Seconds. */
  duration: number
  /** Seconds. */
  timeout: number
  /** How often it looks whether it is to end, in ms. */
  sampleInt: number
  setupClient: (client: Client) => void
  verifyBody: (body: string) => boolean
  histograms: { latencies: Histogram; requests: Histogram; throughput: Histogram }
  skipAggregateResult: true
}

type Autocannon = (options: Options, done: (error: Error | null) => void) => { stop: () => void }

export const autocannon: Autocannon = createRequire(import.meta.url)('autocannon')
