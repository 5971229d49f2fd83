import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { PlaceOrderRequest } from '@placeorder/protocol'
import { connect, disconnect, orderIdOf } from '@placeorder/store'
import { aPlaceOrder, openSystem } from '@placeorder/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const marks = {
  codeValue: 'M4RKED-code-55',
  customerId: 'M4RKED-customer-66',
  userAgent: 'M4RKED-agent-77',
}
const mark = /M4RKED|-----BEGIN|PRIVATE/
const ourCode = { type: 'ENTRY_CODE', merchantId: 'M00000000001', status: 'OPEN' } as const

/** A real system at log level trace, with a rule that fails for certain orders. */
const system = await openSystem({
  env: { LOG_LEVEL: 'trace', DECIDE_WITHIN_MS: '3000', WAIT_MS: '2800' },
})
const address = { urls: [system.redisUrl], cluster: false, sentinels: [], sentinelName: '' }
const redis = connect(address, 'patient')
const policyFile = join(system.dir, 'policy.json')
const policy = JSON.parse(await readFile(policyFile, 'utf8'))
policy.risk.push({
  name: 'fails',
  reject: "order.passThroughInfo == 'fail' && int(order.customerId) > 0",
})
await writeFile(policyFile, JSON.stringify(policy))
await system.put(
  [],
  [
    { ...ourCode, codeValue: marks.codeValue, storeId: 'S00000000001', expiresAt: null },
    {
      ...ourCode,
      codeValue: `${marks.codeValue}-broken`,
      storeId: 'S00000000001',
      expiresAt: null,
    },
  ],
)
const [ingress, worker] = await Promise.all([system.startIngress(), system.startWorker()])
afterAll(async () => {
  await disconnect(redis)
  await system.close()
})

const marked = (changes: Partial<PlaceOrderRequest> = {}) =>
  aPlaceOrder({ ...marks, env: { userAgent: marks.userAgent }, ...changes })

const orders = {
  placed: marked(),
  refused: marked({ codeValue: `${marks.codeValue}-unknown` }),
  malformed: {
    ...marked(),
    customerId: marks.customerId.repeat(9),
    codeValue: { value: marks.codeValue },
  },
  undecided: marked({ passThroughInfo: 'fail' }),
  damaged: marked({ codeValue: `${marks.codeValue}-broken` }),
  notOurs: marked(),
}

/** Damages the record of an order, and one of the directory. */
async function breakThings() {
  await redis.set(`{s0}:order:${orderIdOf(orders.notOurs)}`, 'not a hash')
  for (const key of await redis.keys('{s0}:code:*')) {
    if ((await redis.get(key))?.includes('-broken'))
      await redis.set(key, `${marks.codeValue} is not JSON`)
  }
}

const linesOf = (paymentId: string) =>
  [...ingress.lines, ...worker.lines]
    .filter((line) => line.includes(paymentId))
    .map((line) => JSON.parse(line))

beforeAll(async () => {
  await breakThings()
  expect((await ingress.place(orders.placed)).code).toBe('SUCCESS')
  expect(
    (await ingress.place({ ...orders.placed, paymentAmount: { value: '1', currency: 'CNY' } }))
      .code,
  ).not.toBe('SUCCESS')
  expect((await ingress.place(orders.refused)).code).toBe('INVALID_CODE')
  expect((await ingress.place(orders.malformed)).code).toBe('PARAM_ILLEGAL')
  expect((await ingress.place(orders.undecided)).code).toBe('UNKNOWN_EXCEPTION')
  expect((await ingress.place(orders.damaged)).code).toBe('UNKNOWN_EXCEPTION')
  expect((await ingress.place(orders.notOurs)).code).toBe('UNKNOWN_EXCEPTION')
  for (const { paymentId } of [orders.undecided, orders.damaged])
    await worker.waitFor(new RegExp(`${paymentId}.*abandoned the order`))
})

describe('the log of real processes at level trace', () => {
  const withPaymentId = ['placed', 'refused', 'undecided', 'damaged', 'notOurs'] as const
  test.each(withPaymentId)('names the paymentId of an order that is %s', (kind) => {
    expect(linesOf(orders[kind].paymentId)).not.toEqual([])
  })

  test('has the events of an order', () => {
    const events = linesOf(orders.placed.paymentId).map(({ name, msg }) => `${name} ${msg}`)
    expect(events).toEqual(expect.arrayContaining(['worker concluded', 'ingress answered']))
  })

  test('says why an order is not answered or not decided', () => {
    const faults = [orders.notOurs, orders.damaged, orders.undecided].map(({ paymentId }) =>
      linesOf(paymentId).flatMap(({ err }) => (err === undefined ? [] : [err.message])),
    )
    expect(faults).toEqual([
      [expect.stringContaining('a stored value cannot be read')],
      expect.arrayContaining([expect.stringContaining('a record of the directory cannot be read')]),
      expect.arrayContaining([expect.stringContaining('a value cannot be converted')]),
    ])
  })

  test('shows nothing personal or secret', () => {
    const lines = [...ingress.lines, ...worker.lines]
    expect(lines.length).toBeGreaterThan(12)
    expect(lines.filter((line) => mark.test(line))).toEqual([])
  })

  test('is JSON, line by line', () => {
    for (const line of [...ingress.lines, ...worker.lines])
      expect(JSON.parse(line)).toHaveProperty('msg')
  })
})
