import { orderIdOf } from '@placeorder/store'
import { aPlaceOrder } from '@placeorder/testkit'
import { expect, test } from 'vitest'
import { Deadlines } from './deadlines.ts'
import { type InquireOrderDeps, inquireOrder } from './inquire-order.ts'

const order = aPlaceOrder()
const { acquirerId, pspId, paymentId } = order
const asked = { acquirerId, pspId, paymentId }
const record = {
  order,
  clientId: 'C-1',
  paymentRequestId: 'R-1',
  claimedAt: 1_000,
  jobId: undefined,
  outcome: 'SUCCESS' as const,
  concludedAt: 2_000,
}

function storeThat(changes: Partial<InquireOrderDeps> = {}): InquireOrderDeps {
  return {
    orders: { record: async (orderId) => (orderId === orderIdOf(order) ? record : undefined) },
    durability: { replicated: async () => true, absent: async () => true },
    deadlines: new Deadlines(),
    waitMs: 50,
    ...changes,
  }
}

test('a concluded order is told with its times', async () => {
  expect(await inquireOrder(asked, storeThat())).toMatchObject({
    result: { resultCode: 'SUCCESS' },
    orderResult: { resultCode: 'SUCCESS' },
    paymentRequestId: 'R-1',
    concludedTime: '1970-01-01T00:00:02.000Z',
  })
})

test('a concluded order is told with what is passed through, if the replicas have it', async () => {
  const passed = { ...record, passThroughInfo: '{"a":"b"}' }
  const known: unknown[] = []
  const deps = storeThat({
    orders: { record: async () => passed },
    durability: {
      replicated: async (_, outcome) => known.push(outcome) > 0,
      absent: async () => true,
    },
  })
  expect(await inquireOrder(asked, deps)).toMatchObject({ passThroughInfo: '{"a":"b"}' })
  expect(known).toEqual(['SUCCESS {"a":"b"}'])
})

const replicas = {
  'too few replicas have it': async () => false,
  'the replicas do not answer': () => Promise.reject(new Error('away')),
  'the replicas never answer': () => new Promise<never>(() => {}),
}
const kept = {
  'a concluded order': [asked, record],
  'an order that is not there': [asked, undefined],
  'an order of another psp': [{ ...asked, pspId: 'another' }, record],
} as const
const cases = Object.entries(kept).flatMap(([whose, [request, record]]) =>
  Object.entries(replicas).map(([name, say]) => [whose, name, request, record, say] as const),
)

test.each(cases)('nothing is told of %s while %s', async (_, __, request, record, say) => {
  const deps = storeThat({
    orders: { record: async () => record },
    durability: { replicated: say, absent: say },
  })
  await expect(inquireOrder(request, deps)).rejects.toThrow()
})

test.each([
  ['never claimed', { ...asked, paymentId: 'another' }],
  ['of another acquirer', { ...asked, acquirerId: 'another' }],
  ['of another psp', { ...asked, pspId: 'another' }],
])('an order %s does not exist', async (_name, request) => {
  const told = await inquireOrder(request, storeThat())
  expect(told.result.resultCode).toBe('ORDER_NOT_EXIST')
})

test('a record that cannot be read in time is an error, and not an order that does not exist', async () => {
  const never = () => new Promise<never>(() => {})
  await expect(inquireOrder(asked, storeThat({ orders: { record: never } }))).rejects.toThrow(
    '50 ms',
  )
})
