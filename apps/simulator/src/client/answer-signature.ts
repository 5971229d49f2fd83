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

/** An answer, with the target and Client-Id of its request. Header names in lower case. */
type Answered = {
  target: string
  clientId: string
  headers: Record<string, string>
  body: Buffer
}

/** The codes an acquirer may answer before it knows who calls. */
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

/** Whether this is an answer to an unknown caller, which says nothing about an order. */
export const isForUnknown = (headers: Record<string, string>, body: Buffer): boolean =>
  headers['client-id'] === UNKNOWN_CLIENT &&
  codesForUnknown.some((code) => body.includes(`"${code}"`))

/**
 * Whether an answer is signed by the acquirer: over our target and Client-Id, its Response-Time and
 * the body's bytes (PROTOCOL.md). An answer to UNKNOWN may be signed for the target `/` instead.
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
  const own = answeredTarget(target)
  const forUnknown = isForUnknown(headers, body)
  const to = forUnknown ? UNKNOWN_CLIENT : clientId
  const targets = forUnknown ? [own, '/'] : [own]
  const isGood = targets.some((one) =>
    verify(signedText(one, to, time, body), serverKey, header.signature),
  )
  return isGood ? 'GOOD' : 'BAD'
}
