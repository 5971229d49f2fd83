import {
  digestOf,
  type JudgedOrder,
  openIngressStore,
  openOperatorStore,
  openWorkerStore,
  orderIdOf,
} from '@placeorder/store'
import { aPlaceOrder, testRedis } from '@placeorder/testkit'
import { afterAll, expect, test } from 'vitest'
import { runOrders } from './command.ts'

const redis = await testRedis({ own: true })
const options = {
  address: { urls: [redis.url], cluster: false, sentinels: [], sentinelName: '' },
  shards: 2,
  onFault: () => {},
}
const [ingress, worker] = await Promise.all([
  openIngressStore({ ...options, waitMs: 100 }),
  openWorkerStore(options),
])
afterAll(async () => {
  await Promise.all([ingress.close(), worker.close()])
  await redis.close()
})

async function run(...args: string[]) {
  const [out, err]: [string[], string[]] = [[], []]
  const exit = await runOrders(args, {
    open: () => openOperatorStore(options),
    out: { write: (text) => out.push(text) },
    err: { write: (text) => err.push(text) },
    who: () => 'somebody@here',
  })
  return { exit, out: out.join(''), err: err.join('') }
}

const why = ['--reason', 'the payment failed, case 17'] as const
const aCode = () => `code-${crypto.randomUUID()}`

/** Decides an order with this code as a worker does, and concludes it. */
async function place(codeValue: string, order = aPlaceOrder({ codeValue })) {
  const accepted = await ingress.intake.accept(
    { order, clientId: 'C-1' },
    AbortSignal.timeout(5_000),
  )
  const outcome = await decide(order, codeValue)
  await worker.orders.conclude(orderIdOf(order), outcome)
  if (accepted.kind === 'INCONSISTENT') throw new Error('it was claimed before')
  return { order, outcome, paymentRequestId: accepted.paymentRequestId }
}

async function decide(order: { acquirerId: string; paymentId: string }, orderCode: string) {
  const orderId = orderIdOf(order)
  const judged: JudgedOrder = { orderId, claimedAt, judged: 'SUCCESS', limitUses: [], orderCode }
  const [outcome] = await worker.usage.decide([judged], await worker.usage.now())
  if (outcome === undefined || outcome instanceof Error) throw new Error('it was not decided')
  return outcome
}
const claimedAt = Date.now()

test('a released code can be placed once more; its first order keeps its answer', async () => {
  const code = aCode()
  const first = await place(code)
  expect([first.outcome, (await place(code)).outcome]).toEqual(['SUCCESS', 'ORDER_IS_CLOSED'])
  const { exit, out, err } = await run('release-code', code, ...why, '--yes')
  expect([exit, err, out.trimEnd().split('\n')]).toEqual([0, '', [expect.any(String)]])
  expect(out).toMatch(`paymentId ${first.order.paymentId}`)
  expect(out).toMatch(`paymentRequestId ${first.paymentRequestId}`)
  expect(await decide(first.order, code)).toBe('SUCCESS') // Deciding it again takes nothing.
  const again = await ingress.intake.accept(
    { order: first.order, clientId: 'C-1' },
    AbortSignal.timeout(5_000),
  )
  expect(again).toMatchObject({ outcome: 'SUCCESS', paymentRequestId: first.paymentRequestId })
  expect((await place(code)).outcome).toBe('SUCCESS')
  expect((await place(code)).outcome).toBe('ORDER_IS_CLOSED')
})

test('without --yes nothing is released, and the order of the code is named', async () => {
  const code = aCode()
  const { order, paymentRequestId } = await place(code)
  const { exit, out, err } = await run('release-code', code, ...why)
  expect([exit, err]).toEqual([1, expect.stringContaining('with --yes')])
  for (const fact of [order.acquirerId, order.paymentId, paymentRequestId, 'SUCCESS'])
    expect(out).toContain(fact)
  expect(out).toMatch(/concluded +\d{4}-\d\d-\d\dT[\d:.]+Z\n/)
  expect((await place(code)).outcome).toBe('ORDER_IS_CLOSED')
})

test('a code is not released while its order is open', async () => {
  const code = aCode()
  const order = aPlaceOrder({ codeValue: code })
  await ingress.intake.accept({ order, clientId: 'C-1' }, AbortSignal.timeout(5_000))
  await decide(order, code)
  const { exit, err } = await run('release-code', code, ...why, '--yes')
  expect([exit, err]).toEqual([1, expect.stringContaining('its order is still open')])
  expect(await worker.directory.holder(code)).toBe(orderIdOf(order))
})

test('a code whose order has no record can be released', async () => {
  const code = aCode()
  await decide(aPlaceOrder(), code)
  const { exit, out } = await run('release-code', code, ...why, '--yes')
  expect([exit, out]).toEqual([0, expect.stringContaining('Redis has no record of it')])
})

test('released-codes lists who released what and why, newest first', async () => {
  const [one, other] = [await place(aCode()), await place(aCode())]
  for (const { order } of [one, other])
    await run('release-code', order.codeValue, '--reason', `of ${order.paymentId}`, '--yes')
  const { exit, out } = await run('released-codes')
  const [, first, second] = out.split('\n')
  expect(exit).toBe(0)
  expect([first, second]).toEqual(
    [other, one].map(({ order }) =>
      expect.stringMatching(
        `somebody@here +${digestOf(order.codeValue)} .* ${order.paymentId} +of ${order.paymentId}$`,
      ),
    ),
  )
})

test('a release of a former order’s code leaves the new order’s hold', async () => {
  const store = await openOperatorStore(options)
  const codeValue = aCode()
  const [first, code] = [await place(codeValue), digestOf(codeValue)]
  const release = { code, orderId: orderIdOf(first.order), reason: 'twice', by: 'two' }
  expect(await store.releasedCodes.release(release)).toBe(true)
  const next = await place(codeValue)
  expect(await store.releasedCodes.release(release)).toBe(false)
  expect(await store.directory.holder(codeValue)).toBe(orderIdOf(next.order))
  const noted = (await store.releasedCodes.newest(100)).filter((entry) => entry.code === code)
  expect(noted).toHaveLength(1)
  await store.close()
})

const unheld = aCode()
test.each([
  ['a code that nobody knows', [unheld, ...why, '--yes'], 1, 'the directory has no such code'],
  ['a missing reason', [unheld, '--yes'], 2, 'say why'],
  ['an empty reason', [unheld, '--reason', ' ', '--yes'], 2, 'say why'],
  ['a long reason', [unheld, '--reason', 'x'.repeat(501)], 2, 'longer than 500'],
  ['a reason without its text', [unheld, '--reason'], 2, 'orders <command>'],
  ['an unknown option', [unheld, ...why, '--force'], 2, 'orders <command>'],
  ['two codes', [unheld, unheld, ...why], 2, 'orders <command>'],
  ['no code', [...why], 2, 'orders <command>'],
] as const)('%s is answered clearly, and without the code', async (_, args, exit, words) => {
  const ran = await run('release-code', ...args)
  expect(ran).toMatchObject({ exit, err: expect.stringContaining(words) })
  expect(ran.out + ran.err).not.toContain(unheld)
})

test('a code that the directory knows and no order holds needs no release', async () => {
  const codeValue = aCode()
  const merchantId = 'M00000000001'
  await worker.directory.put([], [{ codeValue, type: 'ENTRY_CODE', merchantId, status: 'OPEN' }])
  const { exit, err } = await run('release-code', codeValue, ...why, '--yes')
  expect([exit, err]).toEqual([1, 'no order holds this code: there is nothing to release\n'])
})
