import { formatSignatureHeader } from '@placeorder/protocol'
import { bodyAt, clientId } from './order-at.ts'
import { SIGNATURE_BYTES } from './sign-ahead.ts'

/** Returns the bytes of a signed request. */
export function wireOf(at: number, target: string, time: string, signatures: Buffer): Buffer {
  const body = bodyAt(at)
  const signature = signatures.subarray(at * SIGNATURE_BYTES, (at + 1) * SIGNATURE_BYTES)
  return Buffer.from(
    `POST ${target} HTTP/1.1\r\nHost: acquirer\r\nConnection: keep-alive\r\n` +
      `Content-Type: application/json; charset=UTF-8\r\nClient-Id: ${clientId}\r\n` +
      `Request-Time: ${time}\r\nSignature: ${formatSignatureHeader('1', signature)}\r\n` +
      `Content-Length: ${body.length}\r\n\r\n${body}`,
    'latin1',
  )
}
