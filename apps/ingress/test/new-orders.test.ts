import { randomUUID } from 'node:crypto'
import { connect, disconnect } from '@placeorder/store'
import { aPlaceOrder, openSystem, signedCall } from '@placeorder/testkit'
import { afterAll, describe, expect, test } from 'vitest'

const system = await openSystem()
const connection = connect(system.address, 'patient')
afterAll(async () => {
  await disconnect(connection)
  await system.close()
})

const [ingress] = await Promise.all([system.startIngress(), system.startWorker()])

const placeOrderUrl = `${ingress.origin}/aps/api/v1/payments/placeOrder`
const codeOf = async (order: unknown) =>
  (await signedCall(placeOrderUrl, order, system.caller)).code
/** Each of another customer, so that no velocity rule applies. */
const newOrder = () => aPlaceOrder({ customerId: randomUUID() })
const newCode = () => codeOf(newOrder())
const readiness = async () => (await fetch(`${ingress.admin}/readyz`)).text()
const set = (name: string, value: string | number) => connection.call('CONFIG', 'SET', name, value)
/**
 * How often an order is kept: as a record, and as an open order. Other keys come and go with the
 * work of the processes.
 */
const timesKept = async ({ paymentId }: { paymentId: string }) => {
  const [records, open] = await Promise.all([
    connection.keys(`*:order:*${paymentId}`),
    connection.zrange('{s0}:open', '0', '-1'),
  ])
  return records.length + open.filter((orderId) => orderId.endsWith(paymentId)).length
}
const usedMemory = async () =>
  Number(/used_memory:(\d+)/.exec(await connection.info('memory'))?.[1])

describe.each([
  ['not durable', () => set('appendonly', 'no'), () => set('appendonly', 'yes'), /appendonly yes/],
  [
    'nearly full',
    async () => set('maxmemory', Math.round((await usedMemory()) * 1.02)),
    () => set('maxmemory', 0),
    /memory is full/,
  ],
])('while Redis is %s', (_name, breakIt, repair, reason) => {
  test('new orders are refused unstored; repeats and inquiries are answered', async () => {
    const order = newOrder()
    const before = await ingress.place(order)
    expect(before.code).toBe('SUCCESS')
    await breakIt()
    await expect.poll(newCode, { timeout: 5_000 }).toBe('REQUEST_TRAFFIC_EXCEED_LIMIT')
    const refused = newOrder()
    expect(await codeOf(refused)).toBe('REQUEST_TRAFFIC_EXCEED_LIMIT')
    expect([await timesKept(refused), await timesKept(order)]).toEqual([0, 1])
    expect((await ingress.place(order)).body).toEqual(before.body)
    const { acquirerId, pspId, paymentId } = order
    const inquired = await ingress.inquire({ acquirerId, pspId, paymentId })
    expect(JSON.stringify(inquired.body)).toContain('SUCCESS')
    expect(await readiness()).toMatch(reason)
    expect(ingress.lines.filter((line) => reason.test(line) && /REFUSED/.test(line))).toHaveLength(
      1,
    )
    await repair()
    await expect.poll(newCode, { timeout: 5_000 }).toBe('SUCCESS')
    expect((await ingress.place(refused)).code).toBe('SUCCESS')
    expect(await readiness()).toContain('"ready"')
  }, 30_000)
})
