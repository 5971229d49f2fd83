import { orderIdOf } from '@placeorder/store'
import { aPlaceOrder } from '@placeorder/testkit'
import { expect, test } from 'vitest'
import { Deadlines } from './deadlines.ts'
import { type InquireOrderDeps, inquireOrder } from './inquire-order.ts'

const order = aPlaceOrder()
const { acquirerId, pspId, paymentId } = order
const inquiry = { acquirerId, pspId, paymentId }
const found = {
  archived: false,
  pspId,
  state: {
    order,
    paymentId,
    paymentRequestId: 'R-1',
    claimedAt: 1_000,
    outcome: 'SUCCESS' as const,
    concludedAt: 2_000,
  },
}

function storeThat(changes: Partial<InquireOrderDeps> = {}): InquireOrderDeps {
  return {
    finder: { find: async (orderId) => (orderId === orderIdOf(order) ? found : undefined) },
    durability: { replicated: async () => true, absent: async () => true },
    deadlines: new Deadlines(),
    waitMs: 50,
    ...changes,
  }
}

test('a concluded order is returned with its times', async () => {
  expect(await inquireOrder(inquiry, storeThat())).toMatchObject({
    result: { resultCode: 'SUCCESS' },
    orderResult: { resultCode: 'SUCCESS' },
    paymentRequestId: 'R-1',
    concludedTime: '1970-01-01T00:00:02.000Z',
  })
})

test('a concluded order is returned once replicas have all of the answer', async () => {
  const passed = { ...found, state: { ...found.state, passThroughInfo: '{"a":"b"}' } }
  const known: unknown[] = []
  const deps = storeThat({
    finder: { find: async () => passed },
    durability: {
      replicated: async (_, ...asked) => known.push(...asked) > 0,
      absent: async () => true,
    },
  })
  expect(await inquireOrder(inquiry, deps)).toMatchObject({ passThroughInfo: '{"a":"b"}' })
  expect(known).toEqual(['SUCCESS {"a":"b"}', 'R-1'])
})

const replicas = {
  'too few replicas have it': async () => false,
  'the replicas do not answer': () => Promise.reject(new Error('away')),
  'the replicas never answer': () => new Promise<never>(() => {}),
}
const orders = {
  'a concluded order': [inquiry, found],
  'an order that does not exist': [inquiry, undefined],
  'an order of another psp': [{ ...inquiry, pspId: 'another' }, found],
} as const
const cases = Object.entries(orders).flatMap(([whose, [request, order]]) =>
  Object.entries(replicas).map(
    ([name, confirm]) => [whose, name, request, order, confirm] as const,
  ),
)

test.each(cases)('the inquiry of %s fails while %s', async (_, __, request, order, confirm) => {
  const deps = storeThat({
    finder: { find: async () => order },
    durability: { replicated: confirm, absent: confirm },
  })
  await expect(inquireOrder(request, deps)).rejects.toThrow()
})

test('an archived order is answered whatever the replicas of Redis do', async () => {
  const never = () => new Promise<never>(() => {})
  const deps = storeThat({
    finder: { find: async () => ({ ...found, archived: true }) },
    durability: { replicated: never, absent: never },
  })
  expect(await inquireOrder(inquiry, deps)).toMatchObject({
    orderResult: { resultCode: 'SUCCESS' },
  })
})

test.each([
  ['never claimed', { ...inquiry, paymentId: 'another' }],
  ['of another acquirer', { ...inquiry, acquirerId: 'another' }],
  ['of another psp', { ...inquiry, pspId: 'another' }],
])('an order %s does not exist', async (_name, request) => {
  const found = await inquireOrder(request, storeThat())
  expect(found.result.resultCode).toBe('ORDER_NOT_EXIST')
})

test('an order that is not found in time is an error, not a missing order', async () => {
  const never = () => new Promise<never>(() => {})
  await expect(inquireOrder(inquiry, storeThat({ finder: { find: never } }))).rejects.toThrow(
    '50 ms',
  )
})
