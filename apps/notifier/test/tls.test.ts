import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { aPlaceOrder, type Certificate, openAuthority, startProcess } from '@placeorder/testkit'
import { Webhook } from 'standardwebhooks'
import { afterAll, expect, onTestFinished, test, vi } from 'vitest'
import { openEventSystem, secret } from './system.ts'

vi.setConfig({ testTimeout: 120_000 })

const within = { timeout: 60_000, interval: 100 }
const { conclude, redisUrl, store } = await openEventSystem()
const dir = await mkdtemp(join(tmpdir(), 'placeorder-notifier-tls-'))
afterAll(() => rm(dir, { recursive: true }))

/** Starts a receiver with a certificate; it notes the paymentIds of what it verified. */
async function receive({ key, cert }: Certificate) {
  const received = new Set<string>()
  const server = createServer({ key, cert }, async (request, response) => {
    const headers = request.headers as Record<string, string>
    const event = new Webhook(secret).verify(await text(request), headers) as { subject: string }
    received.add(event.subject)
    response.end()
  })
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { received, url: `https://localhost:${(server.address() as AddressInfo).port}/` }
}

test('a wrong certificate is the state of its sink alone; the others are delivered', async () => {
  const [ours, stranger] = [await openAuthority(dir, 'ours'), await openAuthority(dir, 'stranger')]
  const names = 'DNS:localhost'
  const receivers = {
    good: await receive(await ours.issue('good', { names })),
    misnamed: await receive(await ours.issue('misnamed', { names: 'DNS:a.example' })),
    expired: await receive(await ours.issue('expired', { names, days: -1 })),
    foreign: await receive(await stranger.issue('foreign', { names })),
  }
  const file = join(dir, 'events.json')
  const sinks = Object.entries(receivers).map(([name, { url }]) => ({
    ...{ name, type: 'webhook', url, secrets: [secret] },
  }))
  await writeFile(file, JSON.stringify({ sinks }))
  const notifier = startProcess({
    name: 'notifier',
    entry: 'apps/notifier/src/main.ts',
    env: {
      REDIS_URL: redisUrl,
      SHARDS: '1',
      EVENTS_FILE: file,
      ADMIN_PORT: '0',
      ADMIN_HOST: '127.0.0.1',
      NODE_EXTRA_CA_CERTS: ours.certFile,
    },
  })
  onTestFinished(async () => {
    notifier.kill('SIGKILL')
    await notifier.exited
  })
  const { admin } = JSON.parse(await notifier.waitFor(/"notifying"/))
  for (const name of Object.keys(receivers)) await store.streams.open(0, name)
  const orders = Array.from({ length: 10 }, () => aPlaceOrder())
  await conclude(orders)
  const ids = orders.map(({ paymentId }) => paymentId).sort()
  await vi.waitFor(() => expect([...receivers.good.received].sort()).toEqual(ids), within)
  await notifier.waitFor(/misnamed.*altnames/)
  await notifier.waitFor(/expired.*certificate has expired/)
  await notifier.waitFor(/foreign.*certificate/)
  await vi.waitFor(async () => {
    const metrics = await (await fetch(`${admin}/metrics`)).text()
    for (const [name, state] of Object.entries(states))
      expect(metrics).toContain(`placeorder_sink_state{sink="${name}",state="${state}"} 1`)
  }, within)
  for (const name of ['misnamed', 'expired', 'foreign'] as const)
    expect(receivers[name].received.size).toBe(0)
})

const states = { good: 'delivering', misnamed: 'failing', expired: 'failing', foreign: 'failing' }
