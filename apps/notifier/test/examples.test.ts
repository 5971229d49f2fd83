import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { eventOf, type OrderEvent } from '@placeorder/events'
import { freePort } from '@placeorder/local-services/redis'
import type { OrderId } from '@placeorder/store'
import { aPlaceOrder } from '@placeorder/testkit'
import { Webhook } from 'standardwebhooks'
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { openEventSystem, secret } from './system.ts'

vi.setConfig({ testTimeout: 60_000 })

const examples = join(import.meta.dirname, '../../../docs/examples')
const { conclude, notify } = await openEventSystem()
const dir = await mkdtemp(join(tmpdir(), 'placeorder-receivers-'))
afterAll(() => rm(dir, { recursive: true }))

const running: ChildProcess[] = []
afterEach(async () => {
  for (const child of running.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    child.kill('SIGKILL')
    await new Promise((resolve) => child.once('exit', resolve))
  }
})

/** An example as the docs start it: with a port, a database of its own and the secret. */
async function startExample([program, file]: [string, string], database: string) {
  const port = await freePort()
  const child = spawn(program, [join(examples, file), String(port), database], {
    env: { PATH: process.env.PATH, WEBHOOK_SECRET: secret },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.push(child)
  const printed: string[] = []
  for (const output of [child.stdout, child.stderr])
    createInterface(output).on('line', (line) => printed.push(line))
  await vi.waitFor(() => expect(printed).toContain('receiving'), { timeout: 30_000, interval: 50 })
  return { url: `http://127.0.0.1:${port}/`, printed, child }
}

function idsIn(path: string): string[] {
  const database = new DatabaseSync(path, { readOnly: true })
  try {
    return database
      .prepare('SELECT id FROM events')
      .all()
      .map(({ id }) => String(id))
  } finally {
    database.close()
  }
}

const anEvent = (): OrderEvent => {
  const { paymentId, acquirerId, pspId, paymentAmount } = aPlaceOrder()
  return eventOf({
    ...{ paymentId, acquirerId, pspId, paymentAmount, settlementAmount: paymentAmount },
    ...{ paymentRequestId: 'R-1', code: 'SUCCESS', referenceMerchantId: 'M-1' },
    claimedAt: 0,
    concludedAt: 1,
  })
}

type Changed = { headers?: Record<string, string>; key?: string; at?: number; body?: string }

/** What a sink would send, signed by the reference library, with something changed afterwards. */
function messageOf(event: OrderEvent, changed: Changed = {}) {
  const body = JSON.stringify(event)
  const at = new Date(changed.at ?? Date.now())
  const headers = {
    'webhook-id': event.id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': new Webhook(changed.key ?? secret).sign(event.id, at, body),
    ...changed.headers,
  }
  return { body: changed.body ?? body, headers }
}

async function send(url: string, event: OrderEvent, changed: Changed = {}): Promise<number> {
  const response = await fetch(url, { method: 'POST', ...messageOf(event, changed) })
  await response.text()
  return response.status
}

const otherSecret = `whsec_${Buffer.alloc(32, 2).toString('base64')}`
const within = { timeout: 30_000, interval: 50 }

describe.each<[name: string, program: [string, string]]>([
  ['TypeScript', [process.execPath, 'receiver.ts']],
  ['Python', ['python3', 'receiver.py']],
])('the receiver in %s', (name, program) => {
  let path: string
  let count = 0
  beforeEach(() => {
    count += 1
    path = join(dir, `${name}-${count}.db`)
  })

  test.each([
    ['one by one', 1],
    ['in batches', 10],
  ])('takes what a notifier delivers %s', async (_how, batch) => {
    const { url, printed } = await startExample(program, path)
    const sink = { name: `${name}-${batch}`, type: 'webhook', url, secrets: [secret], batch }
    await notify([sink])
    const orders = Array.from({ length: 25 }, () => aPlaceOrder())
    const orderIds: OrderId[] = await conclude(orders)
    await vi.waitFor(() => expect(idsIn(path)).toHaveLength(orderIds.length), within)
    const placed = () => printed.flatMap((line) => /^order\.placed (\S+) /.exec(line)?.[1] ?? [])
    const paymentIds = orders.map(({ paymentId }) => paymentId).toSorted()
    await vi.waitFor(() => expect(placed().toSorted()).toEqual(paymentIds), within)
  })

  test('handles an event once, also after a restart, and answers 2xx each time', async () => {
    const event = anEvent()
    const first = await startExample(program, path)
    expect(await send(first.url, event)).toBe(204)
    expect(await send(first.url, event)).toBe(204)
    first.child.kill('SIGKILL')
    const second = await startExample(program, path)
    expect(await send(second.url, event)).toBe(204)
    const handled = [...first.printed, ...second.printed].filter((line) => line !== 'receiving')
    expect(handled).toEqual([`order.placed ${event.subject} R-1`])
    expect(idsIn(path)).toEqual([event.id])
  })

  test('accepts what is signed with both secrets, while they are rotated', async () => {
    const event = anEvent()
    const { url } = await startExample(program, path)
    const at = Date.now()
    const signatures = [otherSecret, secret].map((key) =>
      new Webhook(key).sign(event.id, new Date(at), JSON.stringify(event)),
    )
    const headers = { 'webhook-signature': signatures.join(' ') }
    expect(await send(url, event, { at, headers })).toBe(204)
    expect(idsIn(path)).toEqual([event.id])
  })

  test('refuses what the reference library refuses, and keeps none of it', async () => {
    const event = anEvent()
    const { url } = await startExample(program, path)
    const v2 = new Webhook(secret).sign(event.id, new Date(), JSON.stringify(event))
    for (const changed of [
      { key: otherSecret },
      { body: JSON.stringify({ ...event, type: 'order.refused' }) },
      { headers: { 'webhook-id': 'another' } },
      { headers: { 'webhook-id': '' } },
      { at: Date.now() - 310_000 },
      { at: Date.now() + 310_000 },
      { headers: { 'webhook-timestamp': 'now' } },
      { headers: { 'webhook-timestamp': '' } },
      { headers: { 'webhook-signature': '' } },
      { headers: { 'webhook-signature': v2.replace('v1,', 'v2,') } },
    ]) {
      const { body, headers } = messageOf(event, changed)
      expect(() => new Webhook(secret).verify(body, headers)).toThrow()
      expect([changed, await send(url, event, changed)]).toEqual([changed, 401])
    }
    expect(idsIn(path)).toEqual([])
    expect(await send(url, event)).toBe(204)
  })
})
