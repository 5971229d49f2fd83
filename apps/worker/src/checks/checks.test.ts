import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { aPlaceOrder } from '@placeorder/testkit'
import { afterEach, expect, test } from 'vitest'
import { factsOf } from '../../test/facts.ts'
import { noOpChecksObserver } from '../../test/worker-store.ts'
import { CheckFault, type ChecksObserver, type CircuitChange, guard } from './guard.ts'
import { openChecks } from './open-checks.ts'

const open: (() => Promise<unknown> | unknown)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

/** A check service on a port of its own. */
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  open.push(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/check`
}

const answering =
  (text: string, status = 200): RequestListener =>
  (_request, response) =>
    void response.writeHead(status).end(text)

const never = new AbortController().signal

async function checkAt(
  url: string,
  {
    timeoutMs = 2_000,
    observer = noOpChecksObserver,
  }: { timeoutMs?: number; observer?: ChecksObserver } = {},
) {
  const [check] = await openChecks(
    [{ name: 'own', after: 'code', timeoutMs, url }],
    'policy.json',
    observer,
  )
  if (check === undefined) throw new Error('there is no check')
  return (facts = factsOf(), signal = never) => check.run(facts, signal)
}

/** A module with this text, in a directory of its own that also has the policy. */
async function moduleOf(text: string, name = 'check.mjs') {
  const dir = await mkdtemp(join(tmpdir(), 'placeorder-check-'))
  open.push(() => rm(dir, { recursive: true }))
  const path = join(dir, name)
  const write = (next: string) => writeFile(path, next)
  await write(text)
  const load = () =>
    openChecks(
      [{ name: 'own', after: 'code', timeoutMs: 500, module: `./${name}` }],
      join(dir, 'policy.json'),
      noOpChecksObserver,
    )
  return { path, write, load }
}

test('a service gets order and merchant as JSON, and an idempotency key', async () => {
  const received: { body: unknown; headers: IncomingHttpHeaders; method: string | undefined }[] = []
  const check = await checkAt(
    await serve(async (request, response) => {
      received.push({ body: await json(request), headers: request.headers, method: request.method })
      response.end('{"resultCode":"SUCCESS","note":"whatever"}')
    }),
  )
  const facts = factsOf(aPlaceOrder({ passThroughInfo: '漢字' }))
  expect(await check(facts)).toBe('SUCCESS')
  expect(received).toMatchObject([
    {
      method: 'POST',
      body: { order: facts.order, merchant: facts.merchant },
      headers: {
        'idempotency-key': `${facts.order.acquirerId}:${facts.order.paymentId}`,
        'content-type': 'application/json; charset=UTF-8',
      },
    },
  ])
})

test.each(['with space', 'co:lon', 'line\nbreak', '漢字😀', 'half \ud800 of a pair'])(
  'an id may be any text and is sent as a header: %j',
  async (text) => {
    const keys: string[] = []
    const check = await checkAt(
      await serve((request, response) => {
        keys.push(String(request.headers['idempotency-key']))
        response.end('{"resultCode":"SUCCESS"}')
      }),
    )
    expect(await check(factsOf(aPlaceOrder({ acquirerId: text, paymentId: text })))).toBe('SUCCESS')
    expect(keys.map((key) => key.split(':').map(decodeURIComponent))).toEqual([
      [text.toWellFormed(), text.toWellFormed()],
    ])
  },
)

test('a final code is the answer, whichever it is', async () => {
  const check = await checkAt(await serve(answering('{"resultCode":"INVALID_CONTRACT"}')))
  expect(await check()).toBe('INVALID_CONTRACT')
})

const characters = '😀'.repeat(2_000)
test.each([
  ['none', {}, 'SUCCESS'],
  ['null', { passThroughInfo: null }, 'SUCCESS'],
  ['some', { passThroughInfo: '{"a": "b"}' }, 'SUCCESS {"a": "b"}'],
  ['2,000 characters', { passThroughInfo: characters }, `SUCCESS ${characters}`],
])('a check may answer with passThroughInfo: %s', async (_, given, outcome) => {
  const answer = JSON.stringify({ resultCode: 'SUCCESS', ...given })
  const { load } = await moduleOf(`export default async () => (${answer})`)
  const [fromModule] = await load()
  expect(await fromModule?.run(factsOf(), never)).toBe(outcome)
  const escaped = answer.replace(/[\ud800-\udfff]/g, (c) => `\\u${c.charCodeAt(0).toString(16)}`)
  expect(await (await checkAt(await serve(answering(escaped))))()).toBe(outcome)
})

test.each([
  ['nothing', ''],
  ['2,001 characters', 'x'.repeat(2_001)],
  ['U+0000', 'a\u0000b'],
  ['an unpaired surrogate', 'a\ud800'],
  ['an object', { a: 'b' }],
  ['a number', 5],
])('an answer with passThroughInfo %s leaves the order undecided', async (_, passThroughInfo) => {
  const answer = JSON.stringify({ resultCode: 'SUCCESS', passThroughInfo })
  const [fromModule] = await (await moduleOf(`export default () => (${answer})`)).load()
  await expect(fromModule?.run(factsOf(), never)).rejects.toThrow(CheckFault)
  const overHttp = await checkAt(await serve(answering(answer)))
  await expect(overHttp()).rejects.toThrow(CheckFault)
})

test('connections are kept open from call to call', async () => {
  const sockets = new Set<unknown>()
  const check = await checkAt(
    await serve((request, response) => {
      sockets.add(request.socket)
      response.end('{"resultCode":"SUCCESS"}')
    }),
  )
  for (let call = 0; call < 20; call += 1) await check()
  expect(sockets.size).toBeLessThan(5)
})

test.each<[string, RequestListener]>([
  ['another status', answering('{"resultCode":"SUCCESS"}', 201)],
  ['a failure', answering('{"resultCode":"SUCCESS"}', 500)],
  ['a redirect', (_, response) => void response.writeHead(302, { location: '/yes' }).end()],
  ['text', answering('yes')],
  ['nothing', answering('')],
  ['no code', answering('{"result":"SUCCESS"}')],
  ['an unknown code', answering('{"resultCode":"OK"}')],
  ['a code that is not a string', answering('{"resultCode":["SUCCESS"]}')],
  ['a code that is not final', answering('{"resultCode":"PAYMENT_IN_PROCESS"}')],
  ['too long an answer', answering(`{"resultCode":"SUCCESS","note":"${'x'.repeat(40_000)}"}`)],
  [
    'half an answer',
    (request, response) =>
      void response.writeHead(200).write('{"resu', () => request.socket.destroy()),
  ],
  ['a closed connection', (request) => void request.socket.destroy()],
])('a service that answers %s leaves the order undecided', async (_name, listener) => {
  const check = await checkAt(await serve(listener))
  await expect(check()).rejects.toThrow(CheckFault)
})

test('a service that is down leaves the order undecided', async () => {
  const url = await serve(answering(''))
  for (const close of open.splice(0)) await close()
  await expect((await checkAt(url))()).rejects.toThrow(
    /^check own could not decide: .*ECONNREFUSED/,
  )
})

test('a slow service is given its time and no more', { retry: 2 }, async () => {
  const check = await checkAt(await serve(() => {}), { timeoutMs: 50 })
  const started = performance.now()
  await expect(check()).rejects.toThrow(
    'check own could not decide: Operation timed out after 50ms',
  )
  expect(performance.now() - started).toBeLessThan(1_000)
})

test('a check ends with the time of its group', async () => {
  const { load } = await moduleOf('export default () => new Promise(() => {})')
  const [check] = await load()
  await expect(check?.run(factsOf(), AbortSignal.timeout(20))).rejects.toThrow(CheckFault)
})

test('a service that keeps failing is not called until it is back', async () => {
  let down = true
  let calls = 0
  const events: (string | boolean)[] = []
  const observer: ChecksObserver = {
    inForce: (names) => events.push(...names),
    failed: () => events.push('failed'),
    circuit: ({ open }) => events.push(open),
  }
  const url = await serve((_request, response) => {
    calls += 1
    response.writeHead(down ? 503 : 200).end('{"resultCode":"SUCCESS"}')
  })
  const check = await checkAt(url, { observer })
  for (let call = 0; call < 20; call += 1) await expect(check()).rejects.toThrow(CheckFault)
  expect(calls).toBe(5)
  expect(events).toEqual(['own', 'failed', 'failed', 'failed', 'failed', 'failed', true])
  down = false
  await expect.poll(() => check().catch(() => 'undecided'), { timeout: 5_000 }).toBe('SUCCESS')
  expect(calls).toBe(6)
  expect(events.at(-1)).toBe(false)
})

type Served = { fails: string[]; calls: string; called: Record<string, number>; open: string[] }

test.each<[string, Served]>([
  ['one', { fails: ['A'], calls: 'A'.repeat(20), called: { A: 5 }, open: ['A'] }],
  [
    'one, with another between',
    { fails: ['A'], calls: 'AB'.repeat(9), called: { A: 5, B: 9 }, open: ['A'] },
  ],
  [
    'one, then another comes',
    { fails: ['A'], calls: `${'A'.repeat(9)}BBB`, called: { A: 5, B: 3 }, open: ['A'] },
  ],
  [
    'two of three',
    { fails: ['A', 'B'], calls: 'ABC'.repeat(9), called: { A: 5, B: 5, C: 9 }, open: ['A', 'B'] },
  ],
  [
    'all',
    {
      fails: ['A', 'B', 'C'],
      calls: 'AABBCC'.repeat(9),
      called: { A: 5, B: 5, C: 5 },
      open: ['A', 'B', 'C'],
    },
  ],
  ['none', { fails: [], calls: 'AB'.repeat(9), called: { A: 9, B: 9 }, open: [] }],
])(
  'a check that fails for the orders of %s is not called for those alone',
  async (_whose, served) => {
    const called: Record<string, number> = {}
    const changes: CircuitChange[] = []
    const entry = { name: 'own', after: 'code', timeoutMs: 500, url: 'http://127.0.0.1' } as const
    const check = guard(
      entry,
      async ({ clientId }) => {
        called[clientId] = (called[clientId] ?? 0) + 1
        if (served.fails.includes(clientId)) throw new Error('cannot decide')
        return 'SUCCESS'
      },
      { ...noOpChecksObserver, circuit: (change) => changes.push(change) },
    )
    const run = (clientId: string) => check.run(factsOf(aPlaceOrder(), clientId), never)
    const ends = ['A', 'B', 'C'].map((clientId) => [clientId, `own/${clientId}`] as const)
    for (const clientId of served.calls) await run(clientId).catch(() => 'undecided')
    expect(called).toEqual(served.called)
    expect(ends.flatMap(([id, circuit]) => (check.isOpen?.(circuit) ? [id] : []))).toEqual(
      served.open,
    )
    expect(changes.map(({ clientId, openFor }) => [clientId, openFor])).toEqual(
      served.open.map((clientId, i) => [clientId, i + 1]),
    )
    for (const clientId of served.open)
      await expect(run(clientId)).rejects.toMatchObject({ circuit: `own/${clientId}` })
  },
)

test('a service with answers between failures stays called', async () => {
  let calls = 0
  const url = await serve((_request, response) => {
    calls += 1
    response.end(calls % 4 === 0 ? '{"resultCode":"SUCCESS"}' : 'no')
  })
  const check = await checkAt(url)
  for (let call = 0; call < 20; call += 1) await check().catch(() => {})
  expect(calls).toBe(20)
})

test('a module gets facts and a signal; its answer may be a promise', async () => {
  const { load } = await moduleOf(`
    export default ({ order }, signal) =>
      signal instanceof AbortSignal && order.pspId === '1' ? 'RISK_REJECT' : 'SUCCESS'`)
  const [check] = await load()
  expect(await check?.run(factsOf(aPlaceOrder({ pspId: '1' })), never)).toBe('RISK_REJECT')
  expect(await check?.run(factsOf(), never)).toBe('SUCCESS')
})

test.each([
  ['throws', `export default () => { throw new Error('lost') }`],
  ['rejects', `export default async () => { throw new Error('lost') }`],
  ['returns nothing', 'export default () => {}'],
  ['returns an unknown code', `export default () => 'OK'`],
  ['returns a code that is not final', `export default () => 'UNKNOWN_EXCEPTION'`],
])('a module that %s leaves the order undecided', async (_name, text) => {
  const [check] = await (await moduleOf(text)).load()
  await expect(check?.run(factsOf(), never)).rejects.toThrow(CheckFault)
})

test('a module loaded again is its newest version', async () => {
  const { path, write, load } = await moduleOf(`export default () => 'SUCCESS'`)
  await load()
  await write(`export default () => 'RISK_REJECT'`)
  await utimes(path, new Date(), new Date(Date.now() + 5_000))
  const [check] = await load()
  expect(await check?.run(factsOf(), never)).toBe('RISK_REJECT')
})

test.each([
  ['does not exist', undefined, /no such file/],
  ['cannot be read', 'export default (', /checks\.0 own: the module cannot be used: /],
  ['fails when it is loaded', 'throw new Error("no list")', /no list/],
  ['exports no function', 'export default 5', /its default export is not a function/],
  ['exports nothing', 'const a = 1', /its default export is not a function/],
])('a module that %s is a named fault at start', async (_name, text, fault) => {
  const { path, load } = await moduleOf(text ?? '')
  if (text === undefined) await rm(path)
  await expect(load()).rejects.toThrow(fault)
})
