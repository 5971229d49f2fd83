import { FilterFault, OrderId, type Recalled } from '@placeorder/store'
import { describe, expect, test } from 'vitest'
import { forgottenCheck, inTurn, lookedUpMsMaxOf } from './recall.ts'

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

describe('an ingress', () => {
  const none = { generation: 0, filters: [] }
  const some = { generation: 1, filters: [{ n: 1, bytes: 64, count: 1 }] }
  const damaged = new FilterFault('a filter is missing')
  test.each([
    ['without an archive is ready where nothing was forgotten', [none, none], false, undefined],
    ['without an archive is not ready where something was', [none, some], false, /ARCHIVE_URL/],
    ['with an archive is ready where something was forgotten', [none, some], true, undefined],
    ['is not ready while a filter is damaged', [none, damaged], true, /a filter is missing/],
    ['leaves a Redis that is away to others', [none, new Error('away')], true, undefined],
  ])('%s', async (_, lists, hasArchive, expected) => {
    const read = async (shard: number) => {
      const list = lists[shard] ?? none
      if (list instanceof Error) throw list
      return list
    }
    const reason = await forgottenCheck({ read }, lists.length, hasArchive)()
    if (expected === undefined) expect(reason).toBeUndefined()
    else expect(reason).toMatch(expected)
  })
})

test('an order may be claimed for half the time that others are kept, a minute at most', () => {
  expect([undefined, '4', '86400'].map(lookedUpMsMaxOf)).toEqual([
    {},
    { lookedUpMsMax: 2_000 },
    { lookedUpMsMax: 60_000 },
  ])
})
