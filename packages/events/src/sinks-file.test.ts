import { expect, test } from 'vitest'
import { faultsIn, parseSinks } from './sinks-file.ts'

const secret = `whsec_${Buffer.alloc(32).toString('base64')}`
const webhook = {
  name: 'ledger',
  type: 'webhook',
  url: 'https://ledger.example/hooks',
  secrets: [secret],
}

const parse = (...sinks: unknown[]) => parseSinks(JSON.stringify({ sinks }), 'events.json')

/** The faults of a webhook itself, in a file that is in order. */
const faultsOf = async (change: object) =>
  (await parse({ ...webhook, ...change })).flatMap((entry) => faultsIn(entry))

test('a file is read with its defaults', async () => {
  expect(
    await parse(
      webhook,
      { name: 'lake', type: 'redis-stream', url: 'redis://h:6379', stream: 'orders' },
      { name: 'kafka', type: 'module', module: './to-kafka.ts' },
    ),
  ).toEqual([
    { ...webhook, full: false, batch: 1, allowPrivate: false },
    {
      name: 'lake',
      type: 'redis-stream',
      url: 'redis://h:6379',
      stream: 'orders',
      maxLen: 1_000_000,
      full: false,
    },
    { name: 'kafka', type: 'module', module: './to-kafka.ts', batch: 1, full: false },
  ])
})

test.each([
  'https://ledger.example',
  'https://[2606:4700::1111]/a',
  'http://127.0.0.1:4000/hook',
  'http://localhost:4000',
  'http://[::1]:4000',
])('the URL %s is accepted', async (url) => {
  expect(await faultsOf({ url })).toEqual([])
})

test.each([
  ['ledger.example', 'is not a URL'],
  ['http://ledger.example/', 'is not https://'],
  ['ftp://ledger.example/', 'is not https://'],
  ['https://user:pass@ledger.example/', 'has a user or a password'],
  ['https://10.0.0.1/', 'is an address that is not public'],
  ['https://2130706433.0/', 'is not a URL'],
  ['https://0x0a000001/', 'is an address that is not public'],
  ['https://169.254.169.254/', 'is an address that is not public'],
  ['https://100.64.0.1/', 'is an address that is not public'],
  ['https://[::ffff:10.0.0.1]/', 'is an address that is not public'],
  ['https://[64:ff9b::a00:1]/', 'is an address that is not public'],
  ['https://[fe80::1]/', 'is an address that is not public'],
  ['https://[fd00::1]/', 'is an address that is not public'],
])('the URL %s is a fault', async (url, fault) => {
  expect(await faultsOf({ url })).toEqual([expect.stringMatching(`^url: .*${fault}`)])
})

test('a private address is accepted where it is meant', async () => {
  expect(await faultsOf({ url: 'https://10.0.0.1/', allowPrivate: true })).toEqual([])
})

test.each([
  ['a name that keys may not have', { name: 'a:b' }, /sinks\.0\.name: is not 1 to 40 letters/],
  ['no secret', { secrets: [] }, /sinks\.0\.secrets/],
  ['three secrets', { secrets: [secret, secret, secret] }, /sinks\.0\.secrets: has more than two/],
  ['an unknown type of event', { types: ['order.paid'] }, /sinks\.0\.types\.0/],
  ['an unknown field', { typ: 'x' }, /typ/],
  ['an unknown type of sink', { type: 'carrier-pigeon' }, /sinks\.0\.type/],
  ['a batch that is too large', { batch: 1_000 }, /sinks\.0\.batch/],
])('%s is a named fault', async (_what, change, fault) => {
  await expect(parse({ ...webhook, ...change })).rejects.toThrow(fault)
})

test('all faults are named at once, and no secret', async () => {
  const faulty = { ...webhook, batch: 0, typ: 'x', secrets: ['whsec_hush'] }
  const error = await parse(webhook, webhook, faulty).catch((caught: Error) => caught)
  const message = error instanceof Error ? error.message : ''
  expect(message).toContain('sinks.1.name: ledger is used twice')
  expect(message).toContain('sinks.2.batch')
  expect(message).toContain('"typ"')
  expect(message).not.toContain('hush')
})

test('all faults of a sink itself are named at once, and no secret', async () => {
  const secrets = ['whsec_hush', `hush${'x'.repeat(50)}`]
  const faults = await faultsOf({ url: 'http://a.example', secrets })
  expect(faults).toEqual([
    expect.stringMatching(/^url: is not https/),
    expect.stringMatching(/^secrets\.0: is not whsec_ and/),
    expect.stringMatching(/^secrets\.1: is not whsec_ and/),
  ])
  expect(faults.join()).not.toContain('hush')
})
