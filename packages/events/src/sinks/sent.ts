import type { OrderEvent } from '../event.ts'

/** How sending events ended. */
export type Sent =
  | { kind: 'delivered' }
  /**
   * `endpoint`: the endpoint is at fault, so that others would fail too; else it refuses these
   * events alone.
   */
  | { kind: 'failed'; endpoint: boolean; reason: string; retryAfterMs?: number }
  /** The endpoint wants no more. */
  | { kind: 'gone'; reason: string }

/** A sink that is open. */
export type Sink = {
  /** How many events are sent at once, at most. */
  batch: number
  /** How many sendings of one shard may be on their way. */
  concurrency: number
  /** Never rejects: what a sink fails of is an answer. */
  send: (events: readonly OrderEvent[]) => Promise<Sent>
  close: () => Promise<void>
}

/** One sending has so long (ms). */
export const SEND_MS_MAX = 15_000

/** What went wrong, and what that was caused by. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { message, cause } = error
  return cause instanceof Error && !message.includes(cause.message)
    ? `${message}: ${cause.message}`
    : message || error.name
}
