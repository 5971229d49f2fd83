import { CodeRecord, MerchantRecord, type Policy } from '@placeorder/decision'
import type { FinalCode, PlaceOrderRequest } from '@placeorder/protocol'
import { aPlaceOrder, otherAcquirerId } from '@placeorder/testkit'
import type { Random } from './random.ts'

// The orders of a run. Merchants, customers and order codes take turns, and each gets more orders
// than its limits allow, so that some order is always close to a limit. For other orders only one
// outcome is right, whatever happens: they show that an order does not depend on others in its
// group.

/** About how many orders a merchant and a customer get until the next one's turn. */
const ORDERS_A_MERCHANT = 100
const ORDERS_A_CUSTOMER = 5

const ORDER_CODES_A_MERCHANT = 5

const merchantId = (at: number) => `M${String(at).padStart(8, '0')}`
const entryCode = (merchant: number) => `ENTRY-${merchant}`
/** A merchant without limits, for orders for which only one outcome is right. */
const UNLIMITED = 'M-unlimited'
const SUSPENDED = 'M-suspended'

const orderCode = (merchant: number, at: number) => `ORDER-${merchant}-${at}`

export const chaosPolicy = {
  kyb: { levelMin: 1, tiers: [] },
  settlementToleranceUnits: '1',
  limits: {
    timeZone: 'Asia/Shanghai',
    perPayment: [{ currency: 'CNY', amountMax: '10000' }],
    merchantDay: [{ currency: 'CNY', amountMax: '9000', countMax: 45 }],
    customerDay: [{ currency: 'CNY', amountMax: '500', countMax: 3 }],
  },
  risk: [
    { name: 'blocked-mcc', reject: "order.merchant.merchantMCC in ['7995']" },
    { name: 'customer-velocity', reject: 'recent.customerOrders10m >= 20' },
  ],
  checks: [],
} satisfies Policy

/** The merchants and codes for so many orders. */
export function directoryFor(orders: number): { merchants: MerchantRecord[]; codes: CodeRecord[] } {
  const turns = Array.from({ length: Math.ceil(orders / ORDERS_A_MERCHANT) + 2 }, (_, at) => at)
  const contract = {
    pspIds: ['*'],
    status: 'ACTIVE',
    from: '2020-01-01T00:00:00Z',
    codeTypes: ['ENTRY_CODE', 'ORDER_CODE'],
    currencies: ['CNY'],
  }
  const codeOf = (at: number) => ({ merchantId: merchantId(at), status: 'OPEN' })
  const merchant = { status: 'ACTIVE', kybLevel: 1, contracts: [contract] }
  const unlimited = [{ currency: 'CNY', amountMax: '1000000000', countMax: 1_000_000 }]
  const own = { merchantId: UNLIMITED, type: 'ENTRY_CODE', status: 'OPEN' }
  return {
    merchants: [
      ...turns.map((at) => MerchantRecord.parse({ ...merchant, merchantId: merchantId(at) })),
      MerchantRecord.parse({
        ...merchant,
        merchantId: UNLIMITED,
        limits: { merchantDay: unlimited },
      }),
      MerchantRecord.parse({ ...merchant, merchantId: SUSPENDED, status: 'SUSPENDED' }),
    ],
    codes: [
      CodeRecord.parse({ ...own, codeValue: 'ENTRY-unlimited' }),
      CodeRecord.parse({ ...own, codeValue: 'ENTRY-expired', expiresAt: '2021-01-01T00:00:00Z' }),
      ...turns.flatMap((at) => [
        CodeRecord.parse({ ...codeOf(at), codeValue: entryCode(at), type: 'ENTRY_CODE' }),
        ...Array.from({ length: ORDER_CODES_A_MERCHANT }, (_, i) =>
          CodeRecord.parse({
            ...codeOf(at),
            codeValue: orderCode(at, i),
            type: 'ORDER_CODE',
            amount: { value: '100', currency: 'CNY' },
          }),
        ),
      ]),
    ],
  }
}

/** An order, and the outcomes that are right for it: for many orders only one. */
export type WorkloadOrder = { order: PlaceOrderRequest; outcomes: readonly FinalCode[] }

/** Kinds of orders, by weight; most compete for limits and order codes. */
const kindWeights = {
  competing: 66,
  unlimited: 20,
  unregistered: 3,
  blocked: 4,
  suspended: 2,
  unknownCode: 2,
  expiredCode: 2,
  otherCurrency: 1,
}

/** Order number `at` of a run. */
export function orderNumber(at: number, run: string, random: Random): WorkloadOrder {
  const kind = random.weighted(kindWeights)
  const competing = competingOrder(at, run, random)
  if (kind === 'competing') return competing
  const alone = aloneOrder(at, run, random)
  const { order } = alone
  switch (kind) {
    case 'unlimited':
      return alone
    case 'unregistered':
      return { order: soldBy('M-unknown', competing.order), outcomes: ['MERCHANT_NOT_REGISTERED'] }
    case 'suspended':
      return { order: soldBy(SUSPENDED, order), outcomes: ['INVALID_MERCHANT_STATUS'] }
    case 'blocked':
      return {
        order: { ...order, merchant: { ...order.merchant, merchantMCC: '7995' } },
        outcomes: ['RISK_REJECT'],
      }
    case 'unknownCode':
      return { order: { ...order, codeValue: `NO-CODE-${at}` }, outcomes: ['INVALID_CODE'] }
    case 'expiredCode':
      return { order: { ...order, codeValue: 'ENTRY-expired' }, outcomes: ['EXPIRED_CODE'] }
    case 'otherCurrency':
      return { order: paidIn('EUR', order), outcomes: ['CURRENCY_NOT_SUPPORT'] }
  }
}

/** An order that may be placed, or be too late for a limit or a code. */
function competingOrder(at: number, run: string, random: Random): WorkloadOrder {
  const merchant = Math.floor(at / ORDERS_A_MERCHANT) + random.whole(0, 1)
  const forOne = random.chance(0.2)
  const amount = { value: forOne ? '100' : String(random.whole(50, 300)), currency: 'CNY' }
  const order = aPlaceOrder({
    paymentId: `P-${run}-${at}`,
    codeValue: forOne
      ? orderCode(merchant, random.whole(0, ORDER_CODES_A_MERCHANT - 1))
      : entryCode(merchant),
    paymentAmount: amount,
    settlementAmount: amount,
    customerId: `C-${run}-${Math.floor(at / ORDERS_A_CUSTOMER) + random.whole(0, 5)}`,
    merchant: merchantOf(merchantId(merchant)),
    ...(random.chance(0.2) ? { paymentRequestId: `R-${run}-${at}` } : {}),
  })
  const limits = ['PAYMENT_AMOUNT_EXCEED_LIMIT', 'PAYMENT_COUNT_EXCEED_LIMIT'] as const
  return {
    order,
    outcomes: ['SUCCESS', ...limits, ...(forOne ? ['ORDER_IS_CLOSED' as const] : [])],
  }
}

/** An order that competes with no other: its own customer, and a merchant without limits. */
function aloneOrder(at: number, run: string, random: Random): WorkloadOrder {
  const amount = { value: String(random.whole(50, 300)), currency: 'CNY' }
  const order = aPlaceOrder({
    paymentId: `P-${run}-${at}`,
    codeValue: 'ENTRY-unlimited',
    paymentAmount: amount,
    settlementAmount: amount,
    customerId: `C-${run}-alone-${at}`,
    merchant: merchantOf(UNLIMITED),
  })
  return { order, outcomes: ['SUCCESS'] }
}

const merchantOf = (referenceMerchantId: string): PlaceOrderRequest['merchant'] => ({
  referenceMerchantId,
  merchantName: 'UGG',
  merchantMCC: '5411',
  merchantAddress: { region: 'JP', city: 'xxx' },
})

const soldBy = (id: string, order: PlaceOrderRequest): PlaceOrderRequest => ({
  ...order,
  merchant: { ...order.merchant, referenceMerchantId: id },
})

function paidIn(currency: string, order: PlaceOrderRequest): PlaceOrderRequest {
  const amount = { ...order.paymentAmount, currency }
  return { ...order, paymentAmount: amount, settlementAmount: amount }
}

/** Another acquirer's order with the same paymentId. */
export function ofOtherAcquirer({ order, outcomes }: WorkloadOrder): WorkloadOrder {
  const customerId = `${order.customerId}-other`
  return { order: { ...order, acquirerId: otherAcquirerId, customerId }, outcomes }
}

/** The same order with other terms: an inconsistent repeat. */
export function withOtherTerms(order: PlaceOrderRequest, random: Random): PlaceOrderRequest {
  const other = { ...order.paymentAmount, value: `${order.paymentAmount.value}1` }
  return random.pick([
    { ...order, paymentAmount: other, settlementAmount: other },
    { ...order, settlementAmount: other },
    { ...order, paymentRequestId: `${order.paymentRequestId ?? 'R'}-other` },
  ])
}
