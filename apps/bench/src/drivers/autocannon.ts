import { createRequire } from 'node:module'

// The part of autocannon 9.0.0 that is used here; it has no types of its own. Its version is
// pinned, because getRequestBuffer is internal, although setupClient gets each client.

export type CannonClient = {
  getRequestBuffer: () => Buffer
  on: {
    (event: 'response', listener: (status: number, bytes: number, ms: number) => void): void
    (event: 'connError', listener: (error: Error) => void): void
    (event: 'timeout', listener: () => void): void
  }
}

export type Histogram = { __custom: true; recordValue(): void; destroy(): void; reset(): void }

export type CannonOptions = {
  url: string
  connections: number
  /** Requests a second of each connection. */
  connectionRate?: number
  ignoreCoordinatedOmission?: boolean
  /** Seconds. */
  duration: number
  /** Seconds. */
  timeout: number
  /** How often it checks whether to stop (ms). */
  sampleInt: number
  setupClient: (client: CannonClient) => void
  verifyBody: (body: string) => boolean
  histograms: { latencies: Histogram; requests: Histogram; throughput: Histogram }
  skipAggregateResult: true
}

type Autocannon = (
  options: CannonOptions,
  done: (error: Error | null) => void,
) => { stop: () => void }

export const autocannon: Autocannon = createRequire(import.meta.url)('autocannon')
