import { FilterFault, OrderId, type Recalled } from '@placeorder/store'
import { expect, test } from 'vitest'
import { filtersCheck, inTurn, lookedUpMsMaxOf } from './recall.ts'

const found: Recalled = {
  kind: 'FOUND',
  order: {
    paymentRequestId: 'R-1',
    terms: '',
    outcome: 'SUCCESS',
    pspId: '',
    claimedAt: 1,
    concludedAt: 2,
  },
}
const noFilters = { generation: 0, filters: [] }
const absent: Recalled = { kind: 'ABSENT' }
const lagging: Recalled = { kind: 'NOT_BELIEVED', reason: 'it lags' }
const away: Recalled = { kind: 'NO_ANSWER', reason: 'it is away' }
const idOf = (n: number) => OrderId.parse(`A:${n}`)

/** Asks a replica that says this of orders 0, 1 and so on, and then a primary. */
async function askBoth(replica: Recalled[], primary: (n: number) => Recalled) {
  const asked: string[] = []
  const recalled = await inTurn([
    async () => replica,
    async ({ orderIds }) => {
      asked.push(...orderIds)
      return orderIds.map((orderId) => primary(Number(orderId.slice(2))))
    },
  ])({ shard: 0, archiveId: 'a', version: 1, orderIds: replica.map((_, n) => idOf(n)) })
  return { recalled, asked }
}

test('the primary is asked for what its replica does not know, and no more', async () => {
  const { recalled, asked } = await askBoth([absent, lagging, found, away], (n) =>
    n === 1 ? found : absent,
  )
  expect(asked).toEqual([idOf(1), idOf(3)])
  expect(recalled).toEqual([absent, found, found, absent])
})

test('the primary is not asked while its replica knows', async () => {
  expect((await askBoth([absent, found], () => away)).asked).toEqual([])
})

test('what neither knows stays unknown', async () => {
  expect((await askBoth([lagging, absent], () => away)).recalled).toEqual([away, absent])
})

test.each([
  ['is ready where filters are as they are listed', noFilters, undefined],
  ['is not ready while a filter is damaged', new FilterFault('it is missing'), 'it is missing'],
  ['leaves it to others that Redis is away', new Error('away'), undefined],
])('an ingress %s', async (_, second, expected) => {
  const read = async (shard: number) => {
    if (shard === 1 && second instanceof Error) throw second
    return noFilters
  }
  expect(await filtersCheck({ read }, 2)()).toBe(expected)
})

test('an order may be claimed for half the time that others are kept, a minute at most', () => {
  expect([undefined, '4', '86400'].map(lookedUpMsMaxOf)).toEqual([
    {},
    { lookedUpMsMax: 2_000 },
    { lookedUpMsMax: 60_000 },
  ])
})
