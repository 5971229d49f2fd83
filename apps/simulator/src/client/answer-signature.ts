import type { KeyObject } from 'node:crypto'
import {
  answeredTarget,
  parseSignatureHeader,
  type ResultCode,
  signedText,
  UNKNOWN_CLIENT,
  verify,
} from '@placeorder/protocol'

/** UNCHECKED: we have no key to verify with. */
export type SignatureVerdict = 'GOOD' | 'BAD' | 'MISSING' | 'UNCHECKED'

/** An answer, and what was asked. Header names in lower case. */
type Answered = {
  target: string
  clientId: string
  headers: Record<string, string>
  body: Buffer
}

/** What a caller may be answered before the acquirer knows who it is. */
const codesForUnknown: readonly ResultCode[] = [
  'NO_INTERFACE_DEF',
  'METHOD_NOT_SUPPORTED',
  'MEDIA_TYPE_NOT_ACCEPTABLE',
  'PARAM_ILLEGAL',
  'INVALID_CLIENT',
  'KEY_NOT_FOUND',
  'INVALID_SIGNATURE',
  'REQUEST_TRAFFIC_EXCEED_LIMIT',
  'UNKNOWN_EXCEPTION',
]

/** Whether an answer is one to a caller that is not known: such answers are all alike, so none tells about an order. */
export const isForUnknown = (headers: Record<string, string>, body: Buffer): boolean =>
  headers['client-id'] === UNKNOWN_CLIENT &&
  codesForUnknown.some((code) => body.includes(`"${code}"`))

/**
 * Whether an answer is signed by the acquirer: over our target and Client-Id, its Response-Time and the body's bytes
 * (PROTOCOL.md). One for UNKNOWN may be for `/` as well.
 */
export function checkSignature(
  { target, clientId, headers, body }: Answered,
  serverKey: KeyObject | undefined,
): SignatureVerdict {
  const time = headers['response-time']
  if (headers.signature === undefined || time === undefined) return 'MISSING'
  if (serverKey === undefined) return 'UNCHECKED'
  const header = parseSignatureHeader(headers.signature)
  if (header === undefined || header.algorithm.toUpperCase() !== 'RSA256') return 'BAD'
  const asked = answeredTarget(target)
  const forUnknown = isForUnknown(headers, body)
  const to = forUnknown ? UNKNOWN_CLIENT : clientId
  const targets = forUnknown ? [asked, '/'] : [asked]
  return targets.some((one) => verify(signedText(one, to, time, body), serverKey, header.signature))
    ? 'GOOD'
    : 'BAD'
}
