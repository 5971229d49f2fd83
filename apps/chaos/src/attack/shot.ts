/** A request that is good, whose order was placed before the attack began: its answer is known. */
export type Placed = {
  bytes: Buffer
  target: string
  paymentId: string
  paymentRequestId: string
}

export const ports = ['orders', 'orders over TLS', 'ingress admin', 'worker admin'] as const
export type Port = (typeof ports)[number]

/**
 * How a caller leaves: it closes its half and reads until the end, resets the connection once so
 * many bytes have left, or says nothing any more and keeps its half open.
 */
export type Leaving = { how: 'end' } | { how: 'reset'; afterMs: number } | { how: 'silence' }

/** What one connection sends, piece by piece, and what must come back for it. */
export type Shot = {
  /** What kind of attack it is, for the figures. */
  kind: string
  port: Port
  pieces: readonly Buffer[]
  /** How many requests these are, as far as they are any. */
  requests: number
  leaving: Leaving
  /**
   * The first requests of it, all of them good: each gets the answer it had, or a U, before
   * anything else is answered.
   */
  placed: readonly Placed[]
  /**
   * Whether each of its requests comes whole, from a known client: then each of them is answered,
   * in order.
   */
  answersInAll: boolean
  /** Sends the bytes of a handshake instead of making one. */
  bare: boolean
}
