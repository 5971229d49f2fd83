import { type KeyObject, sign as signBytes } from 'node:crypto'
import { signedText } from '@placeorder/protocol'

export type ShotSigner = { clientId: string; key: KeyObject }

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
  { clientId, key }: ShotSigner,
  {
    clientId: named = clientId,
    time = new Date().toISOString(),
    signature,
    more = [],
  }: Changes = {},
): Buffer {
  const good = signatureHeader(signBytes('RSA-SHA256', signedText(target, named, time, body), key))
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

/** So many characters of a signature are percent-encoded: more than ever have to be. */
const ENCODED = 80

/**
 * A Signature header whose length is the same for every signature, so that a part of a request,
 * drawn at random, is the same part in every run: as many characters are percent-encoded as it
 * takes.
 */
function signatureHeader(signature: Buffer): string {
  const text = signature.toString('base64')
  let others = ENCODED - (text.match(/[+/=]/g)?.length ?? 0)
  const encoded = text.replace(/./g, (one) => {
    const isEncoded = /[+/=]/.test(one) || others-- > 0
    return isEncoded ? `%${one.charCodeAt(0).toString(16).toUpperCase()}` : one
  })
  return `algorithm=RSA256, keyVersion=1, signature=${encoded}`
}
