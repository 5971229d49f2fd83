import type { FoundOrder, LookedUp, OrderNames } from '@placeorder/archive'
import { namesOf, orderIdOf, type Recalled } from '@placeorder/store'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { ArchiveLookUps } from './archive-look-ups.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

type Statement = { shard: number; names: OrderNames[] } & PromiseWithResolvers<LookedUp>
const empty: LookedUp = { version: 7, found: [] }

/** Look-ups in an archive that answers each statement when the test does. */
function lookUps() {
  const statements: Statement[] = []
  const faults: unknown[] = []
  const asking = new ArchiveLookUps(
    {
      lookUp: ({ shard }, names) => {
        const statement = { shard, names, ...Promise.withResolvers<LookedUp>() }
        statements.push(statement)
        return statement.promise
      },
    },
    (error) => faults.push(error),
  )
  let paymentIds = 0
  const ask = (orders = 1, { shard = 0, version = 7 } = {}) =>
    asking.recall({
      shard,
      archiveId: 'archive-1',
      version,
      orderIds: Array.from({ length: orders }, () => {
        paymentIds += 1
        return orderIdOf({ acquirerId: 'A-1', paymentId: `P-${paymentIds}` })
      }),
    })
  return { statements, faults, ask }
}

const kindsOf = async (asked: Promise<Recalled[]>) => (await asked).map(({ kind }) => kind)
const foundOrder = (names: OrderNames): FoundOrder => ({
  ...names,
  paymentRequestId: 'R-1',
  terms: '1 CNY 1 CNY ',
  outcome: 'SUCCESS',
  pspId: 'PSP',
  clientId: 'C-1',
  merchantId: 'M-1',
  claimedAt: 1,
  concludedAt: 2,
  archivedAt: 3,
  shard: 0,
  version: 4,
})

describe('an order that the archive has not is', () => {
  test.each([
    ['absent at the version that has all forgotten orders', 7, ['ABSENT']],
    ['absent at a higher version', 8, ['ABSENT']],
    ['not known at a lower version, as of an old backup', 6, ['NOT_BELIEVED']],
    ['not known in a database that does not know the archive', undefined, ['NOT_BELIEVED']],
  ])('%s', async (_, version, expected) => {
    const { statements, ask } = lookUps()
    const asked = ask()
    statements[0]?.resolve({ version, found: [] })
    expect(await kindsOf(asked)).toEqual(expected)
  })
})

test('an order that the archive has is found at any version, its neighbour is not', async () => {
  const { statements, ask } = lookUps()
  const asked = ask(2)
  const [first = namesOf(orderIdOf({ acquirerId: '', paymentId: '' }))] = statements[0]?.names ?? []
  statements[0]?.resolve({ version: 1, found: [foundOrder(first)] })
  expect(await asked).toMatchObject([
    { kind: 'FOUND', order: { paymentRequestId: 'R-1' } },
    { kind: 'NOT_BELIEVED' },
  ])
})

test('what is asked while all statements are under way shares the next of its shard', async () => {
  const { statements, ask } = lookUps()
  const first = Array.from({ length: 4 }, () => ask())
  const later = [ask(3), ask(2), ask(1, { shard: 1 })]
  expect(statements).toHaveLength(4)
  for (const statement of statements.splice(0)) statement.resolve(empty)
  await Promise.all(first)
  expect(statements.map(({ shard, names }) => [shard, names.length])).toEqual([
    [0, 5],
    [1, 1],
  ])
  for (const statement of statements) statement.resolve(empty)
  expect(await Promise.all(later.map(kindsOf))).toEqual([
    ['ABSENT', 'ABSENT', 'ABSENT'],
    ['ABSENT', 'ABSENT'],
    ['ABSENT'],
  ])
})

test('no more orders are looked up at once than may be', async () => {
  const { statements, ask } = lookUps()
  const all = Array.from({ length: 100 }, () => ask(10))
  expect(await kindsOf(ask())).toEqual(['NO_ANSWER'])
  for (let answered = 0; answered < statements.length; answered += 1) {
    statements[answered]?.resolve(empty)
    await vi.advanceTimersByTimeAsync(0)
  }
  expect(new Set((await Promise.all(all.map(kindsOf))).flat())).toEqual(new Set(['ABSENT']))
  expect(Math.max(...statements.map(({ names }) => names.length))).toBeLessThanOrEqual(128)
  const again = ask()
  statements.at(-1)?.resolve(empty)
  expect(await kindsOf(again)).toEqual(['ABSENT'])
})

test('a silent archive is waited for one second, and then not asked for one', async () => {
  const { statements, faults, ask } = lookUps()
  const all = Array.from({ length: 20 }, () => ask())
  await vi.advanceTimersByTimeAsync(1_000)
  expect(new Set((await Promise.all(all.map(kindsOf))).flat())).toEqual(new Set(['NO_ANSWER']))
  expect(faults.length).toBeGreaterThan(0)
  const asked = statements.length
  expect(await kindsOf(ask())).toEqual(['NO_ANSWER'])
  expect(statements).toHaveLength(asked)
  await vi.advanceTimersByTimeAsync(1_000)
  const again = ask()
  expect(statements).toHaveLength(asked + 1)
  statements.at(-1)?.resolve(empty)
  expect(await kindsOf(again)).toEqual(['ABSENT'])
})

test('a statement that fails is no answer', async () => {
  const { statements, ask } = lookUps()
  const asked = ask()
  statements[0]?.reject(new Error('the database is starting up'))
  expect(await asked).toEqual([{ kind: 'NO_ANSWER', reason: 'the database is starting up' }])
})
