import { CodeRecord, MerchantRecord, type Policy } from '@placeorder/decision'
import type { PlaceOrderRequest } from '@placeorder/protocol'
import { aPlaceOrder } from '@placeorder/testkit'
import type { Random } from './random.ts'

// Who orders what of whom: merchants, customers and order codes come by turns, and each is wanted by more orders than
// its limits allow, so that at any moment some order stands at the edge of a limit.

/** About so many orders go to a merchant, and so many to a customer, before the next one's turn. */
const ORDERS_A_MERCHANT = 100
const ORDERS_A_CUSTOMER = 5

const ORDER_CODES_A_MERCHANT = 5

const merchantId = (at: number) => `M${String(at).padStart(8, '0')}`
const entryCode = (merchant: number) => `ENTRY-${merchant}`
const orderCode = (merchant: number, at: number) => `ORDER-${merchant}-${at}`

export const policy = {
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

/** The acquirer's records for `orders` orders. */
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
  return {
    merchants: turns.map((at) =>
      MerchantRecord.parse({
        merchantId: merchantId(at),
        status: 'ACTIVE',
        kybLevel: 1,
        contracts: [contract],
      }),
    ),
    codes: turns.flatMap((at) => [
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
  }
}

/** Order number `at` of a run. */
export function orderNumber(at: number, run: string, random: Random): PlaceOrderRequest {
  const merchant = Math.floor(at / ORDERS_A_MERCHANT) + random.whole(0, 1)
  const forOne = random.chance(0.2)
  const amount = { value: forOne ? '100' : String(random.whole(50, 300)), currency: 'CNY' }
  return aPlaceOrder({
    paymentId: `P-${run}-${at}`,
    codeValue: forOne
      ? orderCode(merchant, random.whole(0, ORDER_CODES_A_MERCHANT - 1))
      : entryCode(merchant),
    paymentAmount: amount,
    settlementAmount: amount,
    customerId: `C-${run}-${Math.floor(at / ORDERS_A_CUSTOMER) + random.whole(0, 5)}`,
    merchant: {
      referenceMerchantId: random.chance(0.03) ? 'M-unknown' : merchantId(merchant),
      merchantName: 'UGG',
      merchantMCC: random.chance(0.03) ? '7995' : '5411',
      merchantAddress: { region: 'JP', city: 'xxx' },
    },
    ...(random.chance(0.2) ? { paymentRequestId: `R-${run}-${at}` } : {}),
  })
}

/** The same order with other terms: a repeat that does not agree with it. */
export function inconsistent(order: PlaceOrderRequest, random: Random): PlaceOrderRequest {
  const other = { ...order.paymentAmount, value: `${order.paymentAmount.value}1` }
  return random.pick([
    { ...order, paymentAmount: other, settlementAmount: other },
    { ...order, settlementAmount: other },
    { ...order, paymentRequestId: `${order.paymentRequestId ?? 'R'}-other` },
  ])
}
