import type { KeyObject } from 'node:crypto'
import { parseSignatureHeader, signedText, verify } from '@placeorder/protocol'

/** UNCHECKED: we have no key to verify with. */
export type SignatureVerdict = 'GOOD' | 'BAD' | 'MISSING' | 'UNCHECKED'

/**
 * Whether an answer is signed by the acquirer: over our target and Client-Id, its Response-Time and the body's bytes
 * (PROTOCOL.md). Header names in lower case.
 */
export function checkSignature(
  answer: { target: string; clientId: string; headers: Record<string, string>; body: Buffer },
  serverKey: KeyObject | undefined,
): SignatureVerdict {
  const { target, clientId, headers, body } = answer
  const time = headers['response-time']
  if (headers.signature === undefined || time === undefined) return 'MISSING'
  if (serverKey === undefined) return 'UNCHECKED'
  const header = parseSignatureHeader(headers.signature)
  if (header === undefined || header.algorithm.toUpperCase() !== 'RSA256') return 'BAD'
  return verify(signedText(target, clientId, time, body), serverKey, header.signature)
    ? 'GOOD'
    : 'BAD'
}
