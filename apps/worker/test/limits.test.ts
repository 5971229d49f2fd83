import { randomUUID } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { CodeRecord, MerchantRecord } from '@placeorder/decision'
import {
  formatSignatureHeader,
  isResultCode,
  type ResultCode,
  sign,
  signedText,
  statusOf,
} from '@placeorder/protocol'
import { openWorkerStore } from '@placeorder/store'
import { aPlaceOrder, type Caller, openSystem, type System } from '@placeorder/testkit'
import { Pool } from 'undici'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'

const ORDERS = 10_000
const CONNECTIONS = 64
const ADMITTED = 1_000
const CUSTOMERS = 100
const merchantId = 'M-limited'
const target = '/aps/api/v1/payments/placeOrder'

/** A time zone where midnight is hours away: all orders of a run are of one day. */
const timeZone = new Date().getUTCHours() < 12 ? 'Asia/Shanghai' : 'America/New_York'

/**
 * Both the merchant's daily limit and those of all customers together admit exactly 1,000 payments
 * of 1.00 CNY.
 */
const policy = {
  kyb: { levelMin: 1 },
  limits: {
    timeZone,
    merchantDay: [{ currency: 'CNY', amountMax: String(ADMITTED * 100), countMax: ADMITTED }],
    customerDay: [{ currency: 'CNY', countMax: ADMITTED / CUSTOMERS }],
  },
}
const merchant: MerchantRecord = {
  merchantId,
  status: 'ACTIVE',
  kybLevel: 1,
  contracts: [
    {
      pspIds: ['*'],
      status: 'ACTIVE',
      from: '2020-01-01T00:00:00Z',
      codeTypes: ['ENTRY_CODE'],
      currencies: ['CNY'],
    },
  ],
}
const code: CodeRecord = { codeValue: 'C-limited', type: 'ENTRY_CODE', merchantId, status: 'OPEN' }
const customerOf = (at: number) => `customer-${at % CUSTOMERS}`

type Signed = { body: Buffer; headers: Record<string, string> }
let signed: Signed[]
let caller: Caller
let callersKey: Buffer

/** Each order is signed once, ahead, on all cores: a signature costs more than sending it. */
async function signOrder(at: number): Promise<Signed> {
  const order = aPlaceOrder({
    paymentId: `P-${at}-${randomUUID()}`,
    codeValue: code.codeValue,
    customerId: customerOf(at),
    merchant: { referenceMerchantId: merchantId },
  })
  const body = Buffer.from(JSON.stringify(order))
  const time = '2026-01-01T00:00:00Z'
  const signature = await sign(signedText(target, caller.clientId, time, body), caller.key)
  const headers = {
    'client-id': caller.clientId,
    'request-time': time,
    'content-type': 'application/json',
    signature: formatSignatureHeader('1', signature),
  }
  return { body, headers }
}

beforeAll(async () => {
  const system = await openSystem()
  caller = system.caller
  callersKey = await readFile(join(system.dir, 'alipay.pub.pem'))
  await system.close()
  signed = await Promise.all(Array.from({ length: ORDERS }, (_, at) => signOrder(at)))
}, 120_000)

/** A system that knows our caller and has the policy above. */
async function limitedSystem(env: Record<string, string>): Promise<System> {
  const system = await openSystem({ env: { LOG_LEVEL: 'info', ...env } })
  onTestFinished(() => system.close())
  await writeFile(join(system.dir, 'alipay.pub.pem'), callersKey)
  await writeFile(join(system.dir, 'policy.json'), JSON.stringify(policy))
  await system.put([merchant], [code])
  return system
}

const Answer = z.object({ result: z.object({ resultCode: z.string().refine(isResultCode) }) })

/** Places all orders from 64 connections, and repeats those answered U until they are final. */
async function placeAll(origin: string): Promise<Map<ResultCode, number>> {
  const pool = new Pool(origin, { connections: CONNECTIONS, pipelining: 1 })
  onTestFinished(() => pool.destroy())
  const left = [...signed]
  const counts = new Map<ResultCode, number>()
  const place = async ({ body, headers }: Signed) => {
    const { statusCode, body: answered } = await pool.request({
      path: target,
      method: 'POST',
      headers,
      body,
    })
    expect(statusCode).toBe(200)
    return Answer.parse(await answered.json()).result.resultCode
  }
  const connection = async () => {
    for (let order = left.pop(); order !== undefined; order = left.pop()) {
      const resultCode = await place(order)
      if (statusOf[resultCode] === 'U') left.unshift(order)
      else counts.set(resultCode, (counts.get(resultCode) ?? 0) + 1)
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, connection))
  return counts
}

/** The counters, read by a store of the test's own. */
async function counters({ redisUrl }: System) {
  const address = { urls: [redisUrl], cluster: false, sentinels: [], sentinelName: '' }
  const store = await openWorkerStore({ address, shards: 1, onFault: () => {} })
  const day = new Date().toLocaleDateString('sv-SE', { timeZone }).replaceAll('-', '')
  const of = (subject: 'merchant' | 'customer', id: string) =>
    store.usage.used({ subject, id, day, currency: 'CNY' })
  const customers = await Promise.all(
    Array.from({ length: CUSTOMERS }, (_, at) => of('customer', customerOf(at))),
  )
  const all = { merchant: await of('merchant', merchantId), customers }
  await store.close()
  return all
}

async function expectExactly1000(counts: Map<ResultCode, number>, system: System): Promise<void> {
  expect(counts.get('SUCCESS')).toBe(ADMITTED)
  expect([...counts.values()].reduce((sum, count) => sum + count, 0)).toBe(ORDERS)
  for (const resultCode of counts.keys())
    expect(['SUCCESS', 'PAYMENT_AMOUNT_EXCEED_LIMIT', 'PAYMENT_COUNT_EXCEED_LIMIT']).toContain(
      resultCode,
    )
  const { merchant, customers } = await counters(system)
  expect(merchant).toEqual({ amount: BigInt(ADMITTED * 100), count: BigInt(ADMITTED) })
  expect(customers).toEqual(Array(CUSTOMERS).fill({ amount: 1_000n, count: 10n }))
}

test('limits for 1,000 admit exactly 1,000 of 10,000 orders from 64 connections', {
  timeout: 120_000,
}, async () => {
  const system = await limitedSystem({})
  const [ingress] = await Promise.all([
    system.startIngress(),
    system.startWorker(),
    system.startWorker(),
  ])
  const counts = await placeAll(ingress.origin)
  await expectExactly1000(counts, system)
})

test('and exactly 1,000 while a worker is killed every half second', {
  timeout: 240_000,
}, async () => {
  const system = await limitedSystem({ WAIT_MS: '500' })
  const ingress = await system.startIngress()
  const workers = await Promise.all([system.startWorker(), system.startWorker()])
  const ending = new AbortController()
  let kills = 0
  const killing = async () => {
    for (;;) {
      await wait(500, undefined, { signal: ending.signal })
      const [oldest] = workers
      oldest?.kill('SIGKILL')
      await oldest?.exited
      kills += 1
      workers.shift()
      workers.push(await system.startWorker())
    }
  }
  const killed = killing().catch((error: Error) => expect(error.name).toBe('AbortError'))
  const counts = await placeAll(ingress.origin)
  ending.abort()
  await killed
  await expectExactly1000(counts, system)
  expect(kills).toBeGreaterThan(2)
})
