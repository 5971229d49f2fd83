import { createHash, createPublicKey, type KeyObject } from 'node:crypto'

/**
 * The keys whose private half is in this repository, by the SHA-256 of their public half (SPKI,
 * DER). Everybody can sign with them, so no process trusts them.
 */
const published: ReadonlySet<string> = new Set([
  // fixtures/test-only-key.pem
  '701374eac73ad97902fa06c87f27fd36740766082d620bdae04be611e8459672',
])

/** Whether the private half of a key, public or private, is in this repository. */
export function isPublished(key: KeyObject): boolean {
  const half = key.type === 'private' ? createPublicKey(key) : key
  const spki = half.export({ type: 'spki', format: 'der' })
  return published.has(createHash('sha256').update(spki).digest('hex'))
}
