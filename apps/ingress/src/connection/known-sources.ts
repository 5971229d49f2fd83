/**
 * Pairs of client and address that are remembered; past this the one seen the longest ago is
 * dropped.
 */
const PAIRS_MAX = 10_000

/**
 * A client's address is recorded once in this time (ms): it changes rarely, and parsing it costs
 * more than comparing.
 */
const RECORD_MS = 100

/**
 * The addresses from which each client has called with a good signature. A bad signature from there
 * is the client's own; from elsewhere, anybody may have used the client's name.
 */
export class KnownSources {
  readonly #pairs = new Set<string>()
  readonly #recordedAt = new Map<string, number>()

  /** Records that a verified request of the client came from this address. */
  remember(clientId: string, address: () => string): void {
    const now = performance.now()
    if (now - (this.#recordedAt.get(clientId) ?? Number.NEGATIVE_INFINITY) < RECORD_MS) return
    this.#recordedAt.set(clientId, now)
    const pair = `${clientId} ${address()}`
    this.#pairs.delete(pair)
    this.#pairs.add(pair)
    const [oldest = ''] = this.#pairs
    if (this.#pairs.size > PAIRS_MAX) this.#pairs.delete(oldest)
  }

  sourceOf(clientId: string, address: string): 'known' | 'unknown' {
    return this.#pairs.has(`${clientId} ${address}`) ? 'known' : 'unknown'
  }
}
