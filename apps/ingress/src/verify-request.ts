import { isIP } from 'node:net'
import {
  parseRequestTime,
  parseSignatureHeader,
  Refusal,
  signedText,
  verify,
} from '@placeorder/protocol'
import type { Client, Clients } from './clients.ts'

/** The parts of a request that its signature covers. */
export type ReceivedRequest = {
  /** Path and query exactly as received. */
  target: string
  /** Names and values alternately, as received. */
  rawHeaders: readonly string[]
  body: Buffer
}

const signedHeaders = ['client-id', 'request-time', 'signature'] as const

/** The clients that may call; with `requestTimeToleranceMs` 0 any Request-Time is accepted. */
export type VerifyDeps = { clients: Clients; requestTimeToleranceMs: number }

/**
 * Returns the client that sent a request, if its signature is good.
 *
 * @throws Refusal in the precedence of DESIGN: PARAM_ILLEGAL (headers), INVALID_CLIENT,
 * KEY_NOT_FOUND, INVALID_SIGNATURE
 */
export function verifyRequest(
  request: ReceivedRequest,
  { clients, requestTimeToleranceMs }: VerifyDeps,
): Client {
  const [clientId = '', time = '', signatureHeader = ''] = headersOf(request, signedHeaders)
  const signature = parseSignatureHeader(signatureHeader)
  const sentAt = parseRequestTime(time)
  if (sentAt === undefined)
    throw new Refusal(
      'PARAM_ILLEGAL',
      'Request-Time is neither ISO 8601 with an offset nor seconds or milliseconds since 1970',
    )
  if (signature === undefined)
    throw new Refusal(
      'PARAM_ILLEGAL',
      'Signature is not of the form algorithm=…, keyVersion=…, signature=…',
    )
  const client = clients.get(clientId)
  if (client === undefined) throw new Refusal('INVALID_CLIENT', 'no client has this Client-Id')
  const key = client.key(signature.keyVersion)
  if (key === undefined)
    throw new Refusal('KEY_NOT_FOUND', `this client has no key of version ${signature.keyVersion}`)
  if (signature.algorithm.toUpperCase() !== 'RSA256')
    throw new Refusal('INVALID_SIGNATURE', 'the algorithm is not RSA256')
  if (!verify(signedText(request.target, clientId, time, request.body), key, signature.signature)) {
    throw new Refusal(
      'INVALID_SIGNATURE',
      'the signature does not match target, Client-Id, Request-Time and body',
    )
  }
  if (
    requestTimeToleranceMs > 0 &&
    Math.abs(Date.now() - sentAt.getTime()) > requestTimeToleranceMs
  ) {
    throw new Refusal(
      'PARAM_ILLEGAL',
      `Request-Time is more than ${requestTimeToleranceMs} ms from now`,
    )
  }
  return client
}

/**
 * Checks that a verified client may act for this acquirer, from this address.
 *
 * @throws Refusal ACCESS_DENIED
 */
export function authorize(client: Client, acquirerId: string, address: string): void {
  if (!client.acquirerIds.has(acquirerId))
    throw new Refusal('ACCESS_DENIED', 'the client may not act for this acquirerId')
  if (!client.mayCallFrom(address))
    throw new Refusal('ACCESS_DENIED', `the client may not call from ${shown(address)}`)
}

/** An address for the log; what is not an address may be anything a caller wrote. */
const shown = (address: string): string =>
  isIP(address) === 0 ? `${JSON.stringify(address.slice(0, 64))}, which is not an address` : address

/**
 * The values of headers that must be present once: with two, it would be open which one is signed.
 */
function headersOf({ rawHeaders }: ReceivedRequest, names: readonly string[]): string[] {
  const sent = rawHeaders.map((word, i) => (i % 2 === 0 ? word.toLowerCase() : ''))
  return names.map((name) => {
    const at = sent.indexOf(name)
    const value = at < 0 ? '' : rawHeaders[at + 1]
    if (at !== sent.lastIndexOf(name))
      throw new Refusal('PARAM_ILLEGAL', `${name} is present more than once`)
    if (!value) throw new Refusal('PARAM_ILLEGAL', `${name} is missing`)
    return value
  })
}
