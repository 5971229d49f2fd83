import { mkdtemp, rm } from 'node:fs/promises'
import type { RequestListener } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openAuthority } from '@placeorder/testkit'
import { Webhook } from 'standardwebhooks'
import { afterEach, describe, expect, test } from 'vitest'
import { receive } from '../../test/receiver.ts'
import { eventOf, type OrderEvent } from '../event.ts'
import { SinkEntry } from '../sinks-file.ts'
import type { Sink } from './sent.ts'
import { openWebhook, type WebhookOptions } from './webhook.ts'

const secret = `whsec_${Buffer.alloc(32, 1).toString('base64')}`
const older = `whsec_${Buffer.alloc(32, 2).toString('base64')}`

const anEvent = (paymentId = 'P-1'): OrderEvent =>
  eventOf({
    acquirerId: 'A-1',
    paymentId,
    paymentRequestId: 'R-1',
    pspId: 'PSP',
    code: 'SUCCESS',
    paymentAmount: { value: '100', currency: 'CNY' },
    settlementAmount: { value: '100', currency: 'CNY' },
    referenceMerchantId: 'M-1',
    claimedAt: 0,
    concludedAt: 1,
  })

const opened: Sink[] = []
afterEach(async () => {
  await Promise.all(opened.splice(0).map((sink) => sink.close()))
})

function sinkAt(url: string, entry: object = {}, options: WebhookOptions = {}): Sink {
  const parsed = SinkEntry.parse({
    name: 'a',
    type: 'webhook',
    url,
    secrets: [secret],
    ...entry,
  })
  if (parsed.type !== 'webhook') throw new Error('it is no webhook')
  const sink = openWebhook(parsed, options)
  opened.push(sink)
  return sink
}

describe('what is received', () => {
  test('is verified by the reference library, with either secret while rotating', async () => {
    const receiver = await receive()
    const sink = sinkAt(receiver.url, { secrets: [secret, older] })
    expect(await sink.send([anEvent()])).toEqual({ kind: 'delivered' })
    const [{ headers = {}, body = '' } = {}] = receiver.received
    for (const one of [secret, older])
      expect(new Webhook(one).verify(body, headers as Record<string, string>)).toEqual(anEvent())
    const another = new Webhook(Buffer.alloc(32, 3).toString('base64'))
    expect(() => another.verify(body, headers as Record<string, string>)).toThrow('signature')
    expect(headers['webhook-id']).toBe(anEvent().id)
    expect(headers['content-type']).toMatch(/^application\/cloudevents\+json/)
  })

  test('is a batch of CloudEvents where the sink wants batches, with its own id', async () => {
    const receiver = await receive()
    const sink = sinkAt(receiver.url, { batch: 10 })
    const events = [anEvent('P-1'), anEvent('P-2')]
    await sink.send(events)
    await sink.send(events)
    const [first, again] = receiver.received
    const headers = first?.headers as Record<string, string>
    expect(new Webhook(secret).verify(first?.body ?? '', headers)).toEqual(events)
    expect(headers['content-type']).toMatch(/^application\/cloudevents-batch\+json/)
    expect(again?.headers['webhook-id']).toBe(headers['webhook-id'])
  })
})

const status =
  (code: number, headers: Record<string, string> = {}): RequestListener =>
  (_request, response) =>
    void response.writeHead(code, headers).end()

describe('a receiver that', () => {
  test.each<[string, RequestListener, object]>([
    ['answers 204', status(204), { kind: 'delivered' }],
    ['answers 410', status(410), { kind: 'gone' }],
    ['answers 400', status(400), { kind: 'failed', endpoint: false }],
    ['answers 408', status(408), { kind: 'failed', endpoint: true }],
    ['answers 503', status(503), { kind: 'failed', endpoint: true }],
    [
      'answers 429 with Retry-After',
      status(429, { 'retry-after': '7' }),
      { kind: 'failed', endpoint: true, retryAfterMs: 7_000 },
    ],
    [
      'asks for years with Retry-After',
      status(503, { 'retry-after': '999999999' }),
      { kind: 'failed', endpoint: true, retryAfterMs: 3_600_000 },
    ],
    [
      'redirects',
      status(307, { location: 'http://127.0.0.1:1/' }),
      { kind: 'failed', endpoint: true, reason: 'it answered HTTP 307' },
    ],
    [
      'closes the connection',
      (request) => void request.socket.destroy(),
      { kind: 'failed', endpoint: true },
    ],
    [
      'does not speak HTTP',
      (request) => void request.socket.end('hello'),
      { kind: 'failed', endpoint: true },
    ],
    ['hangs', () => {}, { kind: 'failed', endpoint: true, reason: expect.stringMatching(/time/) }],
  ])('%s', async (_what, answer, sent) => {
    const receiver = await receive(answer)
    const sink = sinkAt(receiver.url, {}, { sendMsMax: 300 })
    expect(await sink.send([anEvent()])).toMatchObject(sent)
    expect(receiver.received).toHaveLength(1)
  })

  test('answers a gigabyte has the event, and is not listened to', async () => {
    let written = 0
    const chunk = Buffer.alloc(65_536)
    const receiver = await receive((_request, response) => {
      const more = () => {
        while (written < 2 ** 30 && !response.destroyed) {
          written += chunk.length
          if (!response.write(chunk)) return response.once('drain', more)
        }
        return response.end()
      }
      more()
    })
    expect(await sinkAt(receiver.url).send([anEvent()])).toEqual({ kind: 'delivered' })
    expect(written).toBeLessThan(2 ** 25)
  })

  test('is not there is a failure that says so', async () => {
    const sink = sinkAt('http://127.0.0.1:1/hook')
    expect(await sink.send([anEvent()])).toMatchObject({
      kind: 'failed',
      endpoint: true,
      reason: expect.stringContaining('ECONNREFUSED'),
    })
  })

  test('has a certificate that nobody vouches for gets nothing', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'placeorder-webhook-'))
    const { key, cert } = await (await openAuthority(dir, 'nobody')).issue('receiver')
    const requests: unknown[] = []
    const server = createServer({ key, cert }, (request, response) => {
      requests.push(request.url)
      response.end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const sent = await sinkAt(`https://127.0.0.1:${port}/`).send([anEvent()])
    expect(sent).toMatchObject({
      kind: 'failed',
      endpoint: true,
      reason: expect.stringContaining('certificate'),
    })
    expect(requests).toEqual([])
    server.close()
    await rm(dir, { recursive: true })
  })
})

describe('a name', () => {
  const resolvingTo = (addresses: string[]) => {
    const asked: string[] = []
    const resolve = async (hostname: string) => {
      asked.push(hostname)
      const address = addresses[Math.min(asked.length, addresses.length) - 1] ?? ''
      return [{ address, family: address.includes(':') ? 6 : 4 }]
    }
    return { asked, resolve }
  }

  test.each(['127.0.0.1', '10.1.2.3', '169.254.169.254', '100.64.0.1', '::1', '::ffff:10.0.0.1'])(
    'that resolves to %s is not connected to',
    async (address) => {
      const { resolve } = resolvingTo([address])
      const sink = sinkAt('https://receiver.example/', {}, { resolve })
      expect(await sink.send([anEvent()])).toEqual({
        kind: 'failed',
        endpoint: true,
        reason:
          'receiver.example resolves to an address that is not public: ' +
          'write "allowPrivate": true if it is meant',
      })
    },
  )

  test('is connected to at the very address that was checked', async () => {
    const receiver = await receive()
    const { resolve, asked } = resolvingTo(['127.0.0.1', '127.0.0.2'])
    const url = `https://receiver.example:${receiver.port}/`
    const sink = sinkAt(url, { allowPrivate: true }, { resolve, sendMsMax: 2_000 })
    await sink.send([anEvent()])
    expect([asked, receiver.connections()]).toEqual([['receiver.example'], 1])
  })

  test('that resolves to another address at the next connection is checked again', async () => {
    const receiver = await receive((_request, response) => {
      response.setHeader('connection', 'close').end()
    })
    const { resolve } = resolvingTo(['127.0.0.1', '10.0.0.1'])
    const sink = sinkAt(`http://localhost:${receiver.port}/`, {}, { resolve })
    expect(await sink.send([anEvent()])).toEqual({ kind: 'delivered' })
    expect(await sink.send([anEvent()])).toMatchObject({
      reason: expect.stringContaining('not public'),
    })
    expect(receiver.received).toHaveLength(1)
  })

  test('that does not resolve is a failure that says so', async () => {
    const resolve = async () => Promise.reject(new Error('getaddrinfo ENOTFOUND'))
    const sink = sinkAt('https://receiver.example/', {}, { resolve })
    expect(await sink.send([anEvent()])).toMatchObject({ reason: 'getaddrinfo ENOTFOUND' })
  })
})
