import { generateKeyPairSync } from 'node:crypto'
import { resultCodes } from '@placeorder/protocol'
import { aPlaceOrder } from '@placeorder/testkit'
import fc from 'fast-check'
import type { InjectOptions } from 'fastify'
import { afterAll, describe, expect, test } from 'vitest'
import {
  clientId,
  codeOf,
  inquiryPath,
  path,
  signedHeaders,
  signerOf,
  type TestRequest,
  testServer,
  testUse,
} from '../test/test-server.ts'
import { Admission } from './admission.ts'
import { Deadlines } from './deadlines.ts'
import type { SentAnswer } from './reply.ts'
import { SigningQueue } from './signing/signing-queue.ts'

const app = testServer()
afterAll(() => app.close())
const good = JSON.stringify(aPlaceOrder())

/** The result code of a signed request; `headers` replace the right ones, and '' removes one. */
async function post(
  { target = path, body = good, headers = {}, ...sent }: TestRequest = {},
  method: InjectOptions['method'] = 'POST',
) {
  const all = { ...signedHeaders({ target, body, ...sent }), ...headers }
  const kept = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ''))
  const answered = await app.inject({ method, url: target, headers: kept, body })
  return codeOf(answered, target)
}

/** The right Signature header for the good body. */
const signature = signedHeaders({ body: good }).signature ?? ''
const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey

test('a good order is answered, and its answer is signed', async () => {
  expect(await post()).toBe('SUCCESS')
})

describe('headers', () => {
  test.each([
    ['names in any case', { 'CLIENT-ID': 'SANDBOX_5Y00000000000001', 'client-id': '' }, 'SUCCESS'],
    ['no Content-Type', { 'content-type': '' }, 'SUCCESS'],
    ['no Client-Id', { 'client-id': '' }, 'PARAM_ILLEGAL'],
    ['no Request-Time', { 'request-time': '' }, 'PARAM_ILLEGAL'],
    ['an invalid Request-Time', { 'request-time': 'yesterday' }, 'PARAM_ILLEGAL'],
    [
      'a Request-Time not in the calendar',
      { 'request-time': '2026-02-30T00:00:00Z' },
      'PARAM_ILLEGAL',
    ],
    [
      'another Request-Time than was signed',
      { 'request-time': '2026-01-01T00:00:01Z' },
      'INVALID_SIGNATURE',
    ],
    ['an unknown client', { 'client-id': 'nobody' }, 'INVALID_CLIENT'],
    ['no Signature', { signature: '' }, 'PARAM_ILLEGAL'],
    ['a Signature of another form', { signature: 'garbage' }, 'PARAM_ILLEGAL'],
    [
      'a Signature without value',
      { signature: 'algorithm=RSA256, keyVersion=1, signature=' },
      'PARAM_ILLEGAL',
    ],
    ['a truncated Signature', { signature: signature.slice(0, -40) }, 'INVALID_SIGNATURE'],
    ['two signatures in one', { signature: `${signature}, ${signature}` }, 'PARAM_ILLEGAL'],
    [
      'another algorithm',
      { signature: signature.replace('RSA256', 'RSA512') },
      'INVALID_SIGNATURE',
    ],
    [
      'the algorithm in small letters',
      { signature: signature.replace('RSA256', 'rsa256') },
      'SUCCESS',
    ],
    ['no keyVersion', { signature: signature.replace('keyVersion=1, ', '') }, 'SUCCESS'],
    [
      'an unknown keyVersion',
      { signature: signature.replace('keyVersion=1', 'keyVersion=9') },
      'KEY_NOT_FOUND',
    ],
    ['an Agent-Token', { 'agent-token': 'ignored' }, 'SUCCESS'],
  ])('%s: %s', async (_name, headers, code) => {
    expect(await post({ headers })).toBe(code)
  })

  test('a second Signature header is ambiguous: PARAM_ILLEGAL', async () => {
    const { signature: one = '', ...rest } = signedHeaders({ body: good })
    const answered = await app.inject({
      method: 'POST',
      url: path,
      headers: { ...rest, signature: [one, one] },
      body: good,
    })
    expect(codeOf(answered)).toBe('PARAM_ILLEGAL')
  })
})

describe('signatures', () => {
  test('over another body', async () => {
    expect(await post({ signedBody: `${good} ` })).toBe('INVALID_SIGNATURE')
  })
  test('with another key', async () => {
    expect(await post({ key: other })).toBe('INVALID_SIGNATURE')
  })
  test('cover the query', async () => {
    expect(await post({ target: `${path}?a=b%20c` })).toBe('SUCCESS')
    const headers = signedHeaders({ body: good })
    const answered = await app.inject({ method: 'POST', url: `${path}?a=1`, headers, body: good })
    expect(codeOf(answered, `${path}?a=1`)).toBe('INVALID_SIGNATURE')
  })
  test('cover the query also where it cannot be decoded', async () => {
    expect(await post({ target: `${path}?a=%ff` })).toBe('SUCCESS')
  })
})

describe('of what a caller sends, only a known Client-Id and a plain target are signed', () => {
  const text = 'ACQ.2026-01-01T00:00:00Z.{"refundRequestId":"1"}'
  test.each([
    ['a text', text],
    ['bytes past ASCII', 'SANDBOX_\u00e9'],
    ['none', undefined],
    ['two', [clientId, clientId]],
    ['two in one', `${clientId}, ${clientId}`],
    ['a name every object has', 'constructor'],
    ['the reserved one', 'UNKNOWN'],
    ['a known one in small letters', clientId.toLowerCase()],
  ])('a Client-Id that is %s is answered for UNKNOWN', async (_what, named) => {
    for (const target of [path, inquiryPath, '/refund', '/%zz']) {
      const { 'client-id': _known, ...rest } = signedHeaders({ target })
      const headers = named === undefined ? rest : { ...rest, 'client-id': named }
      const answered = await app.inject({ method: 'POST', url: target, headers })
      expect(answered.headers['client-id']).toBe('UNKNOWN')
      expect(codeOf(answered, target)).toMatch(
        target.startsWith('/aps') ? /^(PARAM_ILLEGAL|INVALID_CLIENT)$/ : 'NO_INTERFACE_DEF',
      )
    }
  })

  test('a known Client-Id is in its answer', async () => {
    for (const target of [path, '/refund']) {
      const answered = await app.inject({
        method: 'GET',
        url: target,
        headers: { 'client-id': clientId },
      })
      expect(answered.headers['client-id']).toBe(clientId)
      expect(codeOf(answered, target)).toMatch(/^(METHOD_NOT_SUPPORTED|NO_INTERFACE_DEF)$/)
    }
  })
})

describe('a Content-Type', () => {
  test.each([
    'application/json,application/json',
    'application/json; charset=UTF-8, application/json;charset=utf-8',
    'application/json,',
    'Application/JSON',
    'application/json;charset=utf8',
    'application/json; charset = "UTF-8"',
    'application/json; charset=us-ascii',
    'application/json; charset=',
    'application/json;',
    'application/json; profile="a;charset=x,b"; charset=utf-8',
    'application/vnd.api+json',
    'text/json',
    ' ',
  ])('"%s" is JSON', async (type) => {
    expect(await post({ headers: { 'content-type': type } })).toBe('SUCCESS')
  })
  test.each([
    'text/plain',
    'text/xml; charset=UTF-8',
    'application/x-www-form-urlencoded',
    'application/json; charset=latin1',
    'application/json; charset=UTF-16',
    'application/json, text/xml',
    'application/jsonx',
    ';;;',
  ])('"%s" is not JSON', async (type) => {
    expect(await post({ headers: { 'content-type': type } })).toBe('MEDIA_TYPE_NOT_ACCEPTABLE')
  })
})

describe('an Accept', () => {
  test.each([
    'text/plain,text/xml,text/javascript,text/html', // The gateway's official SDKs.
    'text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2', // Java's HttpURLConnection.
    'application/json, text/plain, */*',
    'text/html, */*;q=0.1',
    '*/*;q=0.1',
    '*',
    'text/*',
    'TEXT/PLAIN; Q=1',
    'application/xml, text/plain; q = 0.1',
    'application/vnd.api+json',
    'text/plain;note="a,b;q=0"',
    '*/*;q=0, application/json;q=0.5',
    '*/*; q=0.0, Application/*',
    'application/json;q=1;q=0.2',
    'application/json;charset=utf-8',
    'application/json;q=high',
    'json',
    ', ,',
    ' ',
  ])('"%s" allows JSON', async (accept) => {
    expect(await post({ headers: { accept } })).toBe('SUCCESS')
  })
  test.each([
    'image/png',
    'application/xml, image/*',
    'application/json;q=0',
    'application/json; q = 0.000',
    'application/json;q=0, */*',
    'application/json;q=0, text/plain',
    'application/*;q=0, text/plain',
    'text/plain;q=0',
    'text/*;q=.0, image/png',
    '*/*;q=0',
  ])('"%s" excludes JSON', async (accept) => {
    expect(await post({ headers: { accept } })).toBe('MEDIA_TYPE_NOT_ACCEPTABLE')
  })
})

describe('nothing bypasses the signature', () => {
  test.each([
    'text/plain',
    'application/json',
    'application/octet-stream',
    'multipart/form-data; boundary=x',
    '',
  ])('an unsigned body as "%s"', async (type) => {
    const headers = type === '' ? {} : { 'content-type': type }
    const answered = await app.inject({ method: 'POST', url: path, headers, body: good })
    expect(['PARAM_ILLEGAL', 'MEDIA_TYPE_NOT_ACCEPTABLE']).toContain(codeOf(answered))
  })
  test('no body, signed', async () => {
    expect(await post({ body: '' })).toBe('PARAM_ILLEGAL')
  })
  test('no body, unsigned', async () => {
    expect(codeOf(await app.inject({ method: 'POST', url: path }))).toBe('PARAM_ILLEGAL')
  })
  test.each(['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'] as const)('%s', async (method) => {
    expect(await post({}, method)).toBe('METHOD_NOT_SUPPORTED')
  })
  test.each([
    ...['/', '/aps/api/v1/payments', `${path}/`, `${path}x`, `${path.toUpperCase()}`, `${path}%2f`],
    ...[`${path}%ff`, `${path}%zz`, '/aps/%zz', '/aps/%c0?a=%zz', '/%'],
  ])('the unknown path %s', async (target) => {
    expect(await post({ target })).toBe('NO_INTERFACE_DEF')
    expect(await post({ target }, 'GET')).toBe('NO_INTERFACE_DEF')
  })
})

describe('path and method are checked before anything else', () => {
  const odd: [string, TestRequest][] = [
    ['a body that is not JSON', { body: '{' }],
    ['no body', { body: '' }],
    ['a body that is too large', { body: 'x'.repeat(100_000) }],
    ['text', { headers: { 'content-type': 'text/plain' } }],
    ['an invalid Content-Type', { headers: { 'content-type': 'weird' } }],
    ['a wrong Content-Length', { headers: { 'content-length': '100000' } }],
  ]
  test.each(odd)('an unknown path with %s', async (_what, sent) => {
    expect(await post({ ...sent, target: '/nowhere' })).toBe('NO_INTERFACE_DEF')
    expect(await post({ ...sent, target: '/%zz' })).toBe('NO_INTERFACE_DEF')
  })
  test.each(odd)('another method with %s', async (_what, sent) => {
    for (const method of ['PUT', 'DELETE'] as const)
      expect(await post(sent, method)).toBe('METHOD_NOT_SUPPORTED')
  })
})

test('an answer to an unknown path is counted, with its client and the reason', async () => {
  const answers: SentAnswer[] = []
  const counting = testServer({ onAnswer: (answered) => answers.push(answered) })
  const targets = ['/nowhere', '/%zz']
  for (const target of targets)
    await counting.inject({ method: 'POST', url: target, headers: signedHeaders({ target }) })
  const { 'client-id': clientId } = signedHeaders({})
  expect(answers).toMatchObject([
    {
      endpoint: 'none',
      code: 'NO_INTERFACE_DEF',
      clientId,
      reason: 'there is no endpoint at this path',
    },
    { endpoint: 'none', code: 'NO_INTERFACE_DEF', clientId, reason: 'its path cannot be decoded' },
  ])
  await counting.close()
})

describe('bodies', () => {
  const nested = `${'{"a":'.repeat(17)}1${'}'.repeat(17)}`
  test.each<[string, string | Buffer]>([
    ['that are not JSON', '{"paymentId":'],
    ['that are not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d])],
    ['that are arrays', `[${good}]`],
    ['that are a string', '"order"'],
    ['that are null', 'null'],
    ['that nest too deep', nested],
    ['with __proto__', good.replace('{', '{"__proto__":{"isAdmin":"true"},')],
    ['with constructor.prototype', good.replace('{', '{"constructor":{"prototype":{"x":"1"}},')],
    ['that are too big', good.replace('{', `{"passThroughInfo":"${'x'.repeat(70_000)}",`)],
    ['that are empty objects', '{}'],
  ])('%s: PARAM_ILLEGAL', async (_name, body) => {
    expect(await post({ body })).toBe('PARAM_ILLEGAL')
  })

  test('with unknown fields are accepted: the interface grows', async () => {
    expect(await post({ body: good.replace('{', '{"newField":{"deep":["1"]},') })).toBe('SUCCESS')
  })

  test('of an acquirer that is not this client’s: ACCESS_DENIED', async () => {
    expect(await post({ body: JSON.stringify(aPlaceOrder({ acquirerId: 'another' })) })).toBe(
      'ACCESS_DENIED',
    )
  })
})

test('a caller at another address is denied', async () => {
  const headers = signedHeaders({ body: good })
  const answered = await app.inject({
    method: 'POST',
    url: path,
    headers,
    body: good,
    remoteAddress: '192.0.2.9',
  })
  expect(codeOf(answered)).toBe('ACCESS_DENIED')
})

test('an unexpected error is UNKNOWN_EXCEPTION, and the process lives', async () => {
  const find = () => Promise.reject(new Error('Redis is away'))
  const broken = testServer({ use: { ...brokenUse, finder: { find } } })
  const body = JSON.stringify({ acquirerId: '1020000000000000001', pspId: '1', paymentId: '1' })
  const headers = signedHeaders({ target: inquiryPath, body })
  const answered = await broken.inject({ method: 'POST', url: inquiryPath, headers, body })
  expect(codeOf(answered, inquiryPath)).toBe('UNKNOWN_EXCEPTION')
  await broken.close()
})
const brokenUse = {
  intake: { accept: () => Promise.reject(new Error('Redis is away')) },
  orders: {
    during: <T>(
      _id: string,
      _signal: AbortSignal,
      body: (announced: Promise<never>) => Promise<T>,
    ) => body(new Promise(() => {})),
    outcomeOf: async () => undefined,
  },
  finder: { find: async () => undefined },
  durability: { replicated: async () => true, absent: async () => true },
  deadlines: new Deadlines(),
  stage: () => {},
  onFault: () => {},
  waitMs: 50,
}

test.each(['SUCCESS', 'RISK_REJECT'] as const)(
  'the answer that was decided is signed, likely or not: %s',
  async (code) => {
    const accepted = { kind: 'OPEN', paymentRequestId: 'R-1', repeated: false } as const
    const deciding = testServer({
      use: {
        ...brokenUse,
        intake: { accept: async () => accepted },
        orders: {
          ...brokenUse.orders,
          during: (_id, _signal, body) => body(Promise.resolve(code)),
        },
      },
    })
    const headers = signedHeaders({ body: good })
    const answered = await deciding.inject({ method: 'POST', url: path, headers, body: good })
    expect(codeOf(answered)).toBe(code)
    await deciding.close()
  },
)

describe('while the signing thread is busy past an answer’s deadline', () => {
  /** A server whose only thread is busy with another signature until it is set free. */
  function busyServer() {
    const queue = new SigningQueue(1)
    const { promise, resolve } = Promise.withResolvers<string>()
    queue.add(() => promise, { rank: 'order', flow: '', deadlineAt: Number.POSITIVE_INFINITY })
    const busy = testServer({ signer: signerOf(queue), use: { ...testUse, waitMs: 50 } })
    return { busy, free: () => resolve('') }
  }

  test.each([
    [path, 'UNKNOWN_EXCEPTION', good],
    [
      inquiryPath,
      'REQUEST_TRAFFIC_EXCEED_LIMIT',
      JSON.stringify({ acquirerId: '1020000000000000001', pspId: '1', paymentId: '1' }),
    ],
  ])('an answer of %s is replaced by the shared U: %s', async (target, code, body) => {
    const { busy, free } = busyServer()
    const headers = signedHeaders({ target, body })
    setTimeout(free, 300)
    const answered = await busy.inject({ method: 'POST', url: target, headers, body })
    expect(codeOf(answered, target)).toBe(code)
    await busy.close()
  })

  test('a refusal of a known client is signed late rather than not at all', async () => {
    const { busy, free } = busyServer()
    const headers = signedHeaders({ body: '{}' })
    setTimeout(free, 300)
    const answered = await busy.inject({ method: 'POST', url: path, headers, body: '{}' })
    expect(codeOf(answered)).toBe('PARAM_ILLEGAL')
    await busy.close()
  })

  test('a stranger’s connection is closed, and the next one is answered', async () => {
    const { busy, free } = busyServer()
    const origin = await busy.listen({ host: '127.0.0.1', port: 0 })
    await expect(fetch(`${origin}/nowhere`)).rejects.toThrow()
    free()
    await expect
      .poll(() =>
        fetch(`${origin}/nowhere`).then(
          ({ status }) => status,
          () => 0,
        ),
      )
      .toBe(200)
    await busy.close()
  })
})

test('past the orders in flight, an order is refused before it is stored', async () => {
  const full = testServer({
    admission: new Admission({ inFlightMax: 0, openOrdersMax: 9, waitMs: 50 }, () => 0),
    use: brokenUse,
  })
  const answered = await full.inject({
    method: 'POST',
    url: path,
    headers: signedHeaders({ body: good }),
    body: good,
  })
  expect(codeOf(answered)).toBe('REQUEST_TRAFFIC_EXCEED_LIMIT')
  await full.close()
})

describe('every answer is HTTP 200, signed, JSON and one of the 27 codes', () => {
  const oneOf27 = (code: string): void => void expect(resultCodes).toContain(code)

  test('any bytes as a body', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) =>
        oneOf27(await post({ body: Buffer.from(bytes) })),
      ),
      { numRuns: 100 },
    )
  })

  test('any JSON as a body', async () => {
    await fc.assert(
      fc.asyncProperty(fc.json(), async (body) => oneOf27(await post({ body }))),
      { numRuns: 100 },
    )
  })

  test('the good order with any value anywhere', async () => {
    const field = fc.constantFrom(...Object.keys(aPlaceOrder()))
    await fc.assert(
      fc.asyncProperty(field, fc.jsonValue(), async (name, value) =>
        oneOf27(await post({ body: JSON.stringify({ ...aPlaceOrder(), [name]: value }) })),
      ),
      { numRuns: 200 },
    )
  })

  test('any header values', async () => {
    const value = fc
      .string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 100 })
      .map((text) => text.trim() || 'x')
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('client-id', 'request-time', 'signature', 'accept', 'content-type'),
        value,
        async (name, text) => oneOf27(await post({ headers: { [name]: text } })),
      ),
      { numRuns: 150 },
    )
  })
})
