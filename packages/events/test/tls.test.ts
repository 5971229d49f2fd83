import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates, type TLSSocket } from 'node:tls'
import { type Certificate, openAuthority } from '@placeorder/testkit'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { SinkEntry, testEvent } from '../src/index.ts'
import { openWebhook, type WebhookOptions } from '../src/sinks/webhook.ts'

const dir = await mkdtemp(join(tmpdir(), 'placeorder-tls-'))
const [trusted, stranger] = [await openAuthority(dir, 'ca'), await openAuthority(dir, 'other-ca')]
// As NODE_EXTRA_CA_CERTS does for a process.
setDefaultCACertificates([...getCACertificates(), trusted.cert])
const names = 'DNS:receiver.example,DNS:localhost'

const closing: (() => Promise<unknown> | unknown)[] = []
afterEach(() => Promise.all(closing.splice(0).map((close) => close())))
afterAll(() => rm(dir, { recursive: true }))

/** Starts a receiver with a certificate; it notes by which names it is asked, with each event. */
async function receive({ key, cert }: Certificate) {
  const asked: unknown[] = []
  const server: Server = createServer({ key, cert }, (request, response) => {
    asked.push((request.socket as TLSSocket).servername)
    request.resume().on('end', () => response.setHeader('connection', 'close').end())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => server.close())
  return { asked, port: (server.address() as AddressInfo).port }
}

/** A webhook; its names resolve to these addresses, one lookup after the other. */
function sinkAt(url: string, addresses: string[], more: object = {}) {
  const secrets = [`whsec_${Buffer.alloc(32, 1).toString('base64')}`]
  const entry = SinkEntry.parse({ name: 'a', type: 'webhook', url, secrets, ...more })
  if (entry.type !== 'webhook') throw new Error('it is a webhook')
  const resolve: WebhookOptions['resolve'] = async () => [
    { address: addresses.shift() ?? '', family: 4 },
  ]
  const sink = openWebhook(entry, { resolve, sendMsMax: 5_000 })
  closing.push(() => sink.close())
  return sink
}

const send = (sink: ReturnType<typeof openWebhook>) => sink.send([testEvent('1', 0)])

test('a good receiver is asked by its name, at the address that was checked', async () => {
  const receiver = await receive(await trusted.issue('good', { names }))
  const url = `https://receiver.example:${receiver.port}/`
  const sink = sinkAt(url, ['127.0.0.1'], { allowPrivate: true })
  expect(await send(sink)).toEqual({ kind: 'delivered' })
  expect(receiver.asked).toEqual(['receiver.example'])
})

describe('a receiver gets no event if its certificate', () => {
  test.each([
    ['is for another name', () => trusted.issue('else', { names: 'DNS:a.example' }), 'altnames'],
    ['has expired', () => trusted.issue('old', { names, days: -1 }), 'expired'],
    ['is of another authority', () => stranger.issue('foreign', { names }), 'certificate'],
  ])('%s', async (_what, issue, reason) => {
    const receiver = await receive(await issue())
    const url = `https://receiver.example:${receiver.port}/`
    const sink = sinkAt(url, ['127.0.0.1'], { allowPrivate: true })
    expect(await send(sink)).toMatchObject({
      kind: 'failed',
      endpoint: true,
      reason: expect.stringContaining(reason),
    })
    expect(receiver.asked).toEqual([])
  })
})

test('a name that resolves to a private address a moment later is refused', async () => {
  const receiver = await receive(await trusted.issue('rebound', { names }))
  const sink = sinkAt(`https://localhost:${receiver.port}/`, ['127.0.0.1', '10.0.0.1'])
  expect(await send(sink)).toEqual({ kind: 'delivered' })
  expect(await send(sink)).toMatchObject({ reason: expect.stringContaining('not public') })
  expect(receiver.asked).toEqual(['localhost'])
})
