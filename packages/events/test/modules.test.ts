import { copyFile, mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { eventOf, openSink, SinkEntry } from '../src/index.ts'

const examples = join(import.meta.dirname, '../../../docs/examples')
let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'placeorder-module-'))
})
afterEach(() => rm(dir, { recursive: true }))

const event = eventOf({
  acquirerId: 'A-1',
  paymentId: 'P-1',
  paymentRequestId: 'R-1',
  pspId: 'PSP',
  code: 'SUCCESS',
  paymentAmount: { value: '100', currency: 'CNY' },
  settlementAmount: { value: '100', currency: 'CNY' },
  referenceMerchantId: 'M-1',
  claimedAt: 0,
  concludedAt: 1,
})

const open = (module: string) =>
  openSink(SinkEntry.parse({ name: 'a', type: 'module', module, batch: 10 }), {
    path: join(dir, 'events.json'),
    openStream: () => ({ append: async () => {}, close: async () => {} }),
  })

/** Installs a stand-in for a package; what it does is noted in a list with the name of `dir`. */
async function install(name: string, text: string): Promise<void> {
  const path = join(dir, 'node_modules', name, 'index.mjs')
  await mkdir(dirname(path), { recursive: true })
  await writeFile(
    join(dirname(path), 'package.json'),
    JSON.stringify({ name, version: '1.0.0', exports: './index.mjs' }),
  )
  const noted = `const noted = (globalThis[${JSON.stringify(dir)}] ??= [])\n`
  await writeFile(path, noted + text)
}
const noted = () => (globalThis as unknown as Record<string, unknown[]>)[dir] ?? []

describe('the example for', () => {
  test('Kafka produces events with their ids, to all replicas', async () => {
    await install(
      'kafkajs',
      `let down = true
       class Kafka {
         constructor({ brokers }) { noted.push(brokers[0]) }
         producer = ({ idempotent }) => ({
           connect: async () => {
             if (down) { down = false; throw new Error('no broker') }
             noted.push(idempotent)
             this.connected = true
           },
           send: async (record) => {
             if (!this.connected) throw new Error('disconnected')
             noted.push(record)
           },
           disconnect: async () => {
             noted.push('disconnected')
             this.connected = false
           },
         })
       }
       export default { Kafka }`,
    )
    await copyFile(join(examples, 'to-kafka.ts'), join(dir, 'to-kafka.ts'))
    const sink = await open('./to-kafka.ts')
    expect(await sink.send([event])).toMatchObject({ kind: 'failed', reason: 'no broker' })
    expect(await sink.send([event])).toEqual({ kind: 'delivered' })
    await sink.close()
    const message = {
      key: 'P-1',
      value: JSON.stringify(event),
      headers: { 'content-type': 'application/cloudevents+json', id: event.id },
    }
    expect(noted()).toEqual([
      '127.0.0.1:9092',
      true,
      { topic: 'orders', acks: -1, messages: [message] },
      'disconnected',
    ])
    expect(await sink.send([event])).toEqual({ kind: 'delivered' })
  })

  test('NATS publishes each event under its id', async () => {
    await install(
      '@nats-io/transport-node',
      `export const connect = async ({ servers }) => {
         noted.push(servers[0])
         const connection = {
           drain: async () => {
             noted.push('drained')
             connection.isClosed = true
           },
         }
         return connection
       }`,
    )
    await install(
      '@nats-io/jetstream',
      `export const jetstream = (connection) => ({
         publish: async (...message) => {
           if (connection.isClosed) throw new Error('drained')
           noted.push(message)
         },
       })`,
    )
    await copyFile(join(examples, 'to-nats.ts'), join(dir, 'to-nats.ts'))
    const sink = await open('./to-nats.ts')
    expect(await sink.send([event])).toEqual({ kind: 'delivered' })
    await sink.close()
    expect(noted()).toEqual([
      '127.0.0.1:4222',
      ['order.placed', JSON.stringify(event), { msgID: event.id }],
      'drained',
    ])
    expect(await sink.send([event])).toEqual({ kind: 'delivered' })
  })
})

test.each([
  ['throws', `export default () => { throw new Error('lost') }`],
  ['rejects', `export default async () => { throw new Error('lost') }`],
])('a module that %s has not delivered', async (_what, text) => {
  await writeFile(join(dir, 'sink.mjs'), text)
  const sink = await open('./sink.mjs')
  expect(await sink.send([event])).toEqual({ kind: 'failed', endpoint: true, reason: 'lost' })
})

test.each([
  ['does not exist', undefined, /a: the module cannot be used: .*ENOENT/],
  ['cannot be read', 'export default (', /a: the module cannot be used: /],
  ['exports no function', 'export default 5', /its default export is not a function/],
])('a module that %s is a named fault', async (_what, text, fault) => {
  if (text !== undefined) await writeFile(join(dir, 'sink.mjs'), text)
  await expect(open('./sink.mjs')).rejects.toThrow(fault)
})

test('a module that is opened again is its newest version', async () => {
  const path = join(dir, 'sink.mjs')
  await writeFile(path, 'export default async () => {}')
  expect(await (await open('./sink.mjs')).send([event])).toEqual({ kind: 'delivered' })
  await writeFile(path, `export default async () => { throw new Error('newer') }`)
  await utimes(path, new Date(), new Date(Date.now() + 5_000))
  expect(await (await open('./sink.mjs')).send([event])).toMatchObject({ reason: 'newer' })
})

test('closing a module leaves others that were opened of the same file open', async () => {
  const text = `let isClosed = false
    export default async () => { if (isClosed) throw new Error('closed') }
    export const close = () => { isClosed = true }`
  await writeFile(join(dir, 'sink.mjs'), text)
  const [before, after] = [await open('./sink.mjs'), await open('./sink.mjs')]
  await before.close()
  expect(await before.send([event])).toMatchObject({ reason: 'closed' })
  expect(await after.send([event])).toEqual({ kind: 'delivered' })
})
