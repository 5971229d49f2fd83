import { type KeyObject, sign as signBytes } from 'node:crypto'
import { formatSignatureHeader, signedText } from '@placeorder/protocol'

export type Signing = { clientId: string; key: KeyObject }

/** Changes to a request that is signed otherwise as it should be. */
export type Changes = {
  /** The Client-Id that is signed and sent. */
  clientId?: string
  time?: string
  /** Gives the Signature header from what it would be. */
  signature?: (good: string) => string
  /** Header lines besides. */
  more?: readonly string[]
}

/** A request as it goes over the wire, signed by its client over the bytes of its body. */
export function signedBytes(
  target: string,
  body: Buffer,
  { clientId, key }: Signing,
  {
    clientId: named = clientId,
    time = new Date().toISOString(),
    signature,
    more = [],
  }: Changes = {},
): Buffer {
  const good = formatSignatureHeader(
    '1',
    signBytes('RSA-SHA256', signedText(target, named, time, body), key),
  )
  const lines = [
    `POST ${target} HTTP/1.1`,
    'Host: here',
    `Client-Id: ${named}`,
    `Request-Time: ${time}`,
    `Signature: ${signature?.(good) ?? good}`,
    'Content-Type: application/json; charset=UTF-8',
    `Content-Length: ${body.length}`,
    ...more,
  ]
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), body])
}
