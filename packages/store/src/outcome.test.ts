import type { FinalCode } from '@placeorder/protocol'
import { aPlaceOrder } from '@placeorder/testkit'
import { expect, test } from 'vitest'
import { openTestStore } from '../test/test-store.ts'
import { Conclusion } from './decide/conclusion.ts'
import type { JudgedOrder } from './decide/limit-usage.ts'
import { orderIdOf } from './keys.ts'
import { outcomeOf, partsOf } from './outcome.ts'

const { worker, ingress, accept } = await openTestStore({ own: true })
const { orders, usage, durability } = worker
const inTwoSteps = new Conclusion(worker.connection, { usage, orders, durability }, false)
const info = '{"text": "a  b\\n\\u007f", "coupon": "漢字😀"}\n\r\t "\u2028'

type Judging = Partial<Pick<JudgedOrder, 'judged' | 'passThroughInfo' | 'limitUses'>>
const judgedOf = (
  order: { acquirerId: string; paymentId: string },
  judging: Judging,
): JudgedOrder => ({
  orderId: orderIdOf(order),
  claimedAt: Date.now(),
  judged: 'SUCCESS',
  limitUses: [],
  orderCode: undefined,
  ...judging,
})

const ways: [string, Conclusion][] = [
  ['one step', worker.conclusion],
  ['two steps', inTwoSteps],
]
const codes: FinalCode[] = ['SUCCESS', 'RISK_REJECT']
const cases = ways.flatMap(([way, conclusion]) =>
  codes.map((code) => [code, way, conclusion] as const),
)

test.each(cases)(
  'what is passed through with %s in %s is repeated',
  async (code, _, conclusion) => {
    const order = aPlaceOrder()
    await accept(order)
    const orderId = orderIdOf(order)
    const [jobId = ''] = await orders.jobsOf(0, [orderId])
    const { claimedAt = 0 } = (await orders.record(orderId)) ?? {}
    const judged = { ...judgedOf(order, { judged: code, passThroughInfo: info }), claimedAt }
    const announcedOutcome = ingress.orders.during(
      orderId,
      AbortSignal.timeout(5_000),
      async (announced) => {
        await ingress.intake.accept({ order, clientId: 'C-1' }, AbortSignal.timeout(5_000))
        expect(await conclusion.conclude({ shard: 0, jobId }, [judged], await usage.now())).toEqual(
          [code],
        )
        return announced
      },
    )
    expect(await announcedOutcome).toBe(`${code} ${info}`)
    const again = judgedOf(order, { judged: 'EXPIRED_CODE', passThroughInfo: 'another' })
    await conclusion.conclude({ shard: 0, jobId }, [again], await usage.now())
    await orders.conclude(orderId, 'PROCESS_FAIL another')
    expect(await orders.record(orderId)).toMatchObject({ outcome: code, passThroughInfo: info })
    expect(await orders.outcomeOf(orderId)).toBe(`${code} ${info}`)
    const repeat = ingress.intake.accept({ order, clientId: 'C-1' }, AbortSignal.timeout(5_000))
    expect(await repeat).toMatchObject({ kind: 'CONCLUDED', outcome: `${code} ${info}` })
  },
)

test('an order with pass-through info uses limits, and a refusal drops the info', async () => {
  const taking = {
    subject: 'customer' as const,
    id: crypto.randomUUID(),
    day: '2026-01-01',
    currency: 'CNY',
    amount: 100n,
    amountMax: 150n,
    countMax: 5,
  }
  const two = [aPlaceOrder(), aPlaceOrder()].map((order) =>
    judgedOf(order, { passThroughInfo: info, limitUses: [taking] }),
  )
  const outcomes = await usage.decide(two, await usage.now())
  expect(outcomes).toEqual([`SUCCESS ${info}`, 'PAYMENT_AMOUNT_EXCEED_LIMIT'])
  expect(await usage.used(taking)).toEqual({ amount: 100n, count: 1n })
})

test.each([undefined, ' ', 'SUCCESS', ' a b ', info])('an outcome with %j is read back', (info) => {
  const parts = { code: 'SUCCESS', ...(info === undefined ? {} : { passThroughInfo: info }) }
  expect(partsOf(outcomeOf('SUCCESS', info))).toEqual(parts)
})
