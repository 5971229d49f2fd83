import type { KeyObject } from 'node:crypto'
import { formatTime, sign, signedText } from '@placeorder/protocol'
import { type CallerConfig, requestTarget } from '../client/place-order-client.ts'
import type { Header, RawRequest } from './wire.ts'

/** How a request differs from the one that Alipay+ sends. */
export type Variation = {
  method?: string
  url?: URL
  clientId?: string
  /** Request-Time; else now. */
  time?: string
  /** The key that signs; else ours. */
  key?: KeyObject
  /** The parts of the signed text; else those of the request. */
  signed?: { target?: string; time?: string; clientId?: string; body?: Buffer; tail?: string }
  /** How the signature is encoded; else base64, percent-encoded. */
  encode?: (signature: Buffer) => string
  /** The Signature header for an encoded signature. */
  header?: (value: string, keyVersion: string) => string
  /** Changes the headers: Content-Type, Client-Id, Request-Time, Signature, in Alipay+'s order. */
  headers?: (headers: readonly Header[]) => readonly Header[]
}

/** Base64, percent-encoded, as Alipay+'s SDKs send it. */
export const percentEncoded = (signature: Buffer): string =>
  encodeURIComponent(signature.toString('base64'))

const standardHeader = (value: string, keyVersion: string): string =>
  `algorithm=RSA256, keyVersion=${keyVersion}, signature=${value}`

/** Builds and signs a request. */
export async function makeRequest(
  body: Buffer,
  variation: Variation,
  config: CallerConfig,
): Promise<RawRequest> {
  const { method = 'POST', url = config.url, clientId = config.clientId, signed = {} } = variation
  const header = variation.header ?? standardHeader
  const { time, signature } = await signedAt(body, { ...variation, url, clientId, signed }, config)
  const headers: Header[] = [
    ['Content-Type', 'application/json; charset=UTF-8'],
    ['Client-Id', clientId],
    ['Request-Time', time],
    ['Signature', header((variation.encode ?? percentEncoded)(signature), config.keyVersion)],
  ]
  return { method, url, headers: variation.headers?.(headers) ?? headers, body }
}

/**
 * A bound for re-signing a millisecond later, until the base64 has a `+` and a `/`; once is usual.
 */
const SIGNED_MAX = 20

/** Every signature has a `+` and a `/`, because encodings differ in how they write these. */
async function signedAt(
  body: Buffer,
  variation: Variation & { url: URL; clientId: string; signed: NonNullable<Variation['signed']> },
  config: CallerConfig,
): Promise<{ time: string; signature: Buffer }> {
  const { signed } = variation
  const now = Date.now()
  for (let at = 0; ; at += 1) {
    const time = variation.time ?? formatTime(now + at)
    const text = signedText(
      signed.target ?? requestTarget(variation.url),
      signed.clientId ?? variation.clientId,
      signed.time ?? time,
      Buffer.concat([signed.body ?? body, Buffer.from(signed.tail ?? '')]),
    )
    const signature = await sign(text, variation.key ?? config.key)
    const base64 = signature.toString('base64')
    const hasBoth = base64.includes('+') && base64.includes('/')
    if (hasBoth || variation.time !== undefined || at === SIGNED_MAX) return { time, signature }
  }
}

/** Sets a header, whatever the case of its name. */
export const withHeader =
  (name: string, value: string) =>
  (headers: readonly Header[]): Header[] => [...withoutHeader(name)(headers), [name, value]]

/** Removes a header. */
export const withoutHeader =
  (name: string) =>
  (headers: readonly Header[]): Header[] =>
    headers.filter(([one]) => one.toLowerCase() !== name.toLowerCase())
