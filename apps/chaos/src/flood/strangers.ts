import { randomBytes } from 'node:crypto'

const target = '/aps/api/v1/payments/placeOrder'

/** What would be an order, had a client signed it. */
const body = JSON.stringify({
  acquirerId: '1020000000000000001',
  pspId: '1020000000000000001',
  codeValue: '281004132828992222233',
  paymentId: 'STRANGER',
  paymentAmount: { value: '100', currency: 'CNY' },
  merchant: { referenceMerchantId: 'M00000000001', merchantName: 'UGG', merchantMCC: '5411' },
  env: {},
})

type Request = {
  method?: string
  path?: string
  headers?: Record<string, string>
  body?: string
}

const bytesOf = ({ method = 'POST', path = target, headers = {}, body = '' }: Request): Buffer =>
  Buffer.from(
    [
      `${method} ${path} HTTP/1.1`,
      'Host: here',
      ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
      `Content-Length: ${Buffer.byteLength(body)}`,
      '',
      body,
    ].join('\r\n'),
  )

const noSignature = () => encodeURIComponent(randomBytes(256).toString('base64'))

/**
 * The headers of a signed request, but for the signature: it has the length of one and is random.
 */
const signedBy = (clientId: string): Record<string, string> => ({
  'Client-Id': clientId,
  'Request-Time': new Date().toISOString(),
  Signature: `algorithm=RSA256, keyVersion=1, signature=${noSignature()}`,
  'Content-Type': 'application/json; charset=UTF-8',
})

/**
 * A target of its own, so that its answer has nothing in common with others and costs a signature.
 */
const own = (n: number): string => `${target}?n=${n}`

/** One kind each; `n` makes a request different from the others of its kind. */
export const kinds: ((n: number, knownClientId: string) => Request)[] = [
  (n) => ({ method: 'GET', path: `/path/${n}` }),
  (n) => ({ path: `/aps/api/v1/payments/${n}`, headers: signedBy('SOMEBODY'), body }),
  (n) => ({ headers: signedBy(`CLIENT-${n}`), body }),
  (n) => ({ path: own(n), headers: signedBy(`CLIENT-${n}`), body }),
  (n) => ({ path: own(n), method: ['GET', 'PUT', 'DELETE', 'OPTIONS'][(n >> 4) % 4] ?? 'GET' }),
  (n, known) => ({ path: own(n), headers: signedBy(known), body: `{"paymentId":${n}` }),
  (_n, known) => ({ headers: signedBy(known), body }),
  (n, known) => ({ path: own(n), headers: signedBy(known), body }),
  (n) => ({ path: own(n), headers: { 'Content-Type': 'application/json' }, body: `{"n":${n}}` }),
  (n, known) => ({ path: own(n), headers: { ...signedBy(known), 'Content-Type': 'text/x' }, body }),
  (n, known) => ({ path: own(n), headers: { ...signedBy(known), 'Request-Time': `${n}` }, body }),
  (n, known) => ({ path: own(n), headers: { ...signedBy(known), Signature: `${n}=${n}` }, body }),
]

/** What is not HTTP: it is answered, and ends its connection. */
export const broken: readonly Buffer[] = [
  Buffer.from('FROB / HTTP/1.1\r\n\r\n'),
  Buffer.from('\0'),
  Buffer.from('CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n'),
  Buffer.from(`POST ${target} HTTP/1.1\r\nContent-Length: -1\r\n\r\n`),
]

/** So many requests of strangers, as they go over the wire: all kinds in turn, no two alike. */
export const strangers = (count: number, knownClientId: string): Buffer[] =>
  Array.from({ length: count }, (_, n) => {
    const kind = kinds[n % kinds.length]
    if (kind === undefined) throw new RangeError('there are no kinds')
    return bytesOf(kind(n, knownClientId))
  })
