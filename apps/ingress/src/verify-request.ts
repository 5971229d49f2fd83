import { isIP } from 'node:net'
import {
  parseRequestTime,
  parseSignatureHeader,
  Refusal,
  signedText,
  verify,
} from '@placeorder/protocol'
import type { Client, Clients } from './clients.ts'

/** What of a request its signature covers. */
export type ReceivedRequest = {
  /** Path and query exactly as received. */
  target: string
  /** Names and values in turn, as received. */
  rawHeaders: readonly string[]
  body: Buffer
}

const signedHeaders = ['client-id', 'request-time', 'signature'] as const

/** What verifying needs to know. `requestTimeToleranceMs` 0: any Request-Time is good. */
export type VerifyDeps = { clients: Clients; requestTimeToleranceMs: number }

/**
 * Finds out who sent a request, and that nobody changed it.
 *
 * @throws Refusal in the precedence of DESIGN: PARAM_ILLEGAL (headers), INVALID_CLIENT, KEY_NOT_FOUND, INVALID_SIGNATURE
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
      'Signature has not the form algorithm=…, keyVersion=…, signature=…',
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
      'the signature does not fit target, Client-Id, Request-Time and body',
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
 * Whether a verified caller may do this.
 *
 * @throws Refusal ACCESS_DENIED
 */
export function authorize(client: Client, acquirerId: string, address: string): void {
  if (!client.acquirerIds.has(acquirerId))
    throw new Refusal('ACCESS_DENIED', 'the acquirerId is not one of this client')
  if (!client.mayCallFrom(address))
    throw new Refusal('ACCESS_DENIED', `the client may not call from ${shown(address)}`)
}

/** An address for the log; what is none was written by whoever sent it. */
const shown = (address: string): string =>
  isIP(address) === 0 ? `${JSON.stringify(address.slice(0, 64))}, which is not an address` : address

/** The headers that must be there once: a second one would leave open which of them is signed. */
function headersOf({ rawHeaders }: ReceivedRequest, names: readonly string[]): string[] {
  const sent = rawHeaders.map((word, i) => (i % 2 === 0 ? word.toLowerCase() : ''))
  return names.map((name) => {
    const at = sent.indexOf(name)
    const value = at < 0 ? '' : rawHeaders[at + 1]
    if (at !== sent.lastIndexOf(name))
      throw new Refusal('PARAM_ILLEGAL', `${name} is there more than once`)
    if (!value) throw new Refusal('PARAM_ILLEGAL', `${name} is missing`)
    return value
  })
}
