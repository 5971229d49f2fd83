import type { KeyObject } from 'node:crypto'
import { formatTime, sign, signedText } from '@placeorder/protocol'
import { targetOf, type Who } from '../client/caller.ts'
import type { Pair, Sent } from './wire.ts'

/** What may be otherwise in a request, and is otherwise as Alipay+ sends it. */
export type Make = {
  method?: string
  url?: URL
  clientId?: string
  /** Request-Time; else now. */
  time?: string
  /** What signs; else our key. */
  key?: KeyObject
  /** What is signed; else what is sent. */
  signed?: { target?: string; time?: string; clientId?: string; body?: Buffer; tail?: string }
  /** How the signature is written; else base64, percent-encoded. */
  encode?: (signature: Buffer) => string
  /** The Signature header around its value. */
  header?: (value: string, keyVersion: string) => string
  /** The headers at last, in Alipay+'s order: Content-Type, Client-Id, Request-Time, Signature. */
  headers?: (headers: readonly Pair[]) => readonly Pair[]
}

/** Base64, percent-encoded: what Alipay+'s SDKs send. */
export const percentEncoded = (signature: Buffer): string =>
  encodeURIComponent(signature.toString('base64'))

const standardHeader = (value: string, keyVersion: string): string =>
  `algorithm=RSA256, keyVersion=${keyVersion}, signature=${value}`

/** Signs and writes a request. */
export async function makeRequest(body: Buffer, make: Make, who: Who): Promise<Sent> {
  const { method = 'POST', url = who.url, clientId = who.clientId, signed = {} } = make
  const header = make.header ?? standardHeader
  const { time, signature } = await signedAt(body, { ...make, url, clientId, signed }, who)
  const headers: Pair[] = [
    ['Content-Type', 'application/json; charset=UTF-8'],
    ['Client-Id', clientId],
    ['Request-Time', time],
    ['Signature', header((make.encode ?? percentEncoded)(signature), who.keyVersion)],
  ]
  return { method, url, headers: make.headers?.(headers) ?? headers, body }
}

/** How often a request is signed anew, a millisecond later, to get a `+` and a `/` into its base64; one time does it. */
const SIGNED_MAX = 20

/** What encodings differ in is how they write `+` and `/`, so there is one of each in every signature. */
async function signedAt(
  body: Buffer,
  make: Make & { url: URL; clientId: string; signed: NonNullable<Make['signed']> },
  who: Who,
): Promise<{ time: string; signature: Buffer }> {
  const { signed } = make
  const now = Date.now()
  for (let at = 0; ; at += 1) {
    const time = make.time ?? formatTime(now + at)
    const text = signedText(
      signed.target ?? targetOf(make.url),
      signed.clientId ?? make.clientId,
      signed.time ?? time,
      Buffer.concat([signed.body ?? body, Buffer.from(signed.tail ?? '')]),
    )
    const signature = await sign(text, make.key ?? who.key)
    const base64 = signature.toString('base64')
    const hasBoth = base64.includes('+') && base64.includes('/')
    if (hasBoth || make.time !== undefined || at === SIGNED_MAX) return { time, signature }
  }
}

/** Another value for a header, whatever its case. */
export const withHeader =
  (name: string, value: string) =>
  (headers: readonly Pair[]): Pair[] => [...withoutHeader(name)(headers), [name, value]]

/** Without a header. */
export const withoutHeader =
  (name: string) =>
  (headers: readonly Pair[]): Pair[] =>
    headers.filter(([one]) => one.toLowerCase() !== name.toLowerCase())
