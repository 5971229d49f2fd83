/** As many pairs of client and address are remembered; the one that called the longest ago is forgotten first. */
const PAIRS_MAX = 10_000

/** A client's address is looked at once in so many ms: it changes rarely, and finding it out costs more than a comparison. */
const LOOK_MS = 100

/**
 * From where each client has called with a good signature. A bad signature from there is the client's own; from elsewhere,
 * anybody may have written the client's name on it.
 */
export class KnownSources {
  readonly #pairs = new Set<string>()
  readonly #lookedAt = new Map<string, number>()

  /** The client called from there, verified. */
  remember(clientId: string, address: () => string): void {
    const now = performance.now()
    if (now - (this.#lookedAt.get(clientId) ?? Number.NEGATIVE_INFINITY) < LOOK_MS) return
    this.#lookedAt.set(clientId, now)
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
