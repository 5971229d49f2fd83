import { expect, test } from 'vitest'
import { anOrderOf, factsWith } from '../../test/sample.ts'
import { compileRules } from './rules.ts'

/**
 * Ten rules as operators write them: lists, comparisons, counters, texts, an optional field, a
 * walk, a table.
 */
const rules = [
  "order.merchant.merchantMCC in ['7995', '6211', '4829', '6051']",
  'recent.customerOrders10m >= 20',
  'recent.codeOrders1h > 500 && order.paymentAmount.value < 100',
  "order.paymentAmount.currency == 'CNY' && order.paymentAmount.value > 10000000",
  '!has(order.customerId) && order.paymentAmount.value > 500000',
  "order.env.userAgent.matches('(?i)headless|phantom')",
  "order.merchant.merchantName.startsWith('TEST') || " +
    "order.merchant.merchantName.contains('casino')",
  "merchant.contracts.exists(c, c.status == 'SUSPENDED' && c.currencies.size() > 3)",
  'recent.merchantOrders24h > ' +
    "{'CNY': 90000, 'JPY': 50000, 'USD': 20000}[order.paymentAmount.currency]",
  "order.merchant.merchantAddress.region != 'JP' && merchant.kybLevel < 2 && " +
    'recent.customerOrders24h * 3 > 100',
].map((reject, at) => ({ name: `rule-${at}`, reject }))

/**
 * Many short rounds: a machine whose time others take leaves some of them alone, and hardly a long
 * one.
 */
const ROUNDS = 300
const ORDERS = 100

/** What is promised (microseconds); measured on an AMD EPYC, it is 6. */
const ORDER_MICROSECONDS_MAX = 30

test('ten rules cost an order less than 30 microseconds', () => {
  const { faults, rejectedBy } = compileRules(rules)
  expect(faults).toEqual([])
  const facts = Array.from({ length: ORDERS }, (_, at) =>
    factsWith({ order: anOrderOf(BigInt(at + 1)) }),
  )
  const roundsUs = Array.from({ length: ROUNDS }, () => {
    const startedAt = performance.now()
    for (const one of facts)
      if (rejectedBy(one) !== undefined) throw new Error('a good order was rejected')
    return ((performance.now() - startedAt) * 1_000) / ORDERS
  })
  // Whatever else the machine does, some round is not disturbed by it.
  expect(Math.min(...roundsUs)).toBeLessThan(ORDER_MICROSECONDS_MAX)
})
