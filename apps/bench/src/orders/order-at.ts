import { CodeRecord, MerchantRecord } from '@placeorder/decision'

// The orders of the benchmarks: each is new and of another customer, over 1,000 merchants with ten
// codes each.

const MERCHANTS = 1_000
const CODES = 10_000

/** So many customers take turns; each of them stays far below its limits. */
const CUSTOMERS = 1_000_000

export const clientId = 'SANDBOX_5Y00000000000001'
const acquirerId = '1020000000000000001'

const merchantId = (at: number) => `M${String(at).padStart(11, '0')}`
const storeId = (at: number) => `S${String(at).padStart(11, '0')}`
const codeValue = (at: number) => `2810041328289${String(at).padStart(8, '0')}`

/**
 * Returns the request of placeOrder.txt with an id, customer, code and merchant of its own. `run`
 * keeps the ids of runs apart.
 */
export function bodyAt(at: number, run = 0): string {
  // The step is coprime to the number of codes, so that neighbours are of different merchants.
  const code = (at * 7_919) % CODES
  const merchant = code % MERCHANTS
  const paymentId = `2010${String(run).padStart(8, '0')}${String(at).padStart(19, '0')}`
  const customerId = `2102${String((at * 104_729) % CUSTOMERS).padStart(8, '0')}`
  return (
    `{"acquirerId":"${acquirerId}","pspId":"1020000000000000001",` +
    `"codeValue":"${codeValue(code)}","paymentId":"${paymentId}",` +
    `"paymentAmount":{"value":"100","currency":"CNY"},` +
    `"settlementAmount":{"value":"100","currency":"CNY"},` +
    `"merchant":{"referenceMerchantId":"${merchantId(merchant)}","merchantName":"UGG",` +
    `"merchantMCC":"5411","merchantAddress":{"region":"JP","city":"xxx"},` +
    `"store":{"referenceStoreId":"${storeId(merchant)}","storeName":"UGG-2","storeMCC":"5411"}},` +
    `"customerId":"${customerId}","env":{"userAgent":"${userAgent}"}}`
  )
}

const userAgent =
  'Mozilla/5.0 (Linux; Android 9; MI 9 SE Build/PKQ1.181121.001; wv) AppleWebKit/537.36 ' +
  '(KHTML, like Gecko) Version/4.0 Chrome/90.0.4430.66 Mobile Safari/537.36 Language/en ' +
  'Ariver/2.22.0.2 Griver/2.24.0 AppContainer/10.5.10 AlipayConnect AlipayConnect'

export function benchDirectory(): { merchants: MerchantRecord[]; codes: CodeRecord[] } {
  const merchants = Array.from({ length: MERCHANTS }, (_, at) =>
    MerchantRecord.parse({
      merchantId: merchantId(at),
      status: 'ACTIVE',
      kybLevel: 2,
      stores: [storeId(at)],
      contracts: [
        {
          pspIds: ['*'],
          status: 'ACTIVE',
          from: '2020-01-01T00:00:00Z',
          until: null,
          codeTypes: ['ENTRY_CODE', 'ORDER_CODE'],
          currencies: ['CNY', 'JPY', 'USD'],
        },
      ],
    }),
  )
  const codes = Array.from({ length: CODES }, (_, at) =>
    CodeRecord.parse({
      codeValue: codeValue(at),
      type: 'ENTRY_CODE',
      merchantId: merchantId(at % MERCHANTS),
      storeId: storeId(at % MERCHANTS),
      status: 'OPEN',
      expiresAt: null,
    }),
  )
  return { merchants, codes }
}

export const clientsFile = {
  clients: [
    {
      clientId,
      acquirerIds: [acquirerId],
      keys: [{ version: '1', publicKeyFile: 'alipay.pub.pem' }],
    },
  ],
}

/**
 * The full ladder: KYB tiers, three limits, and ten rules that look at order, merchant and recent
 * orders.
 */
export const policyFile = {
  kyb: { levelMin: 1, tiers: [{ currency: 'CNY', above: '5000000', levelMin: 2 }] },
  settlementToleranceUnits: '1',
  limits: {
    timeZone: 'Asia/Shanghai',
    perPayment: [{ currency: 'CNY', amountMax: '20000000' }],
    merchantDay: [{ currency: 'CNY', amountMax: '500000000000', countMax: 100_000_000 }],
    customerDay: [{ currency: 'CNY', amountMax: '5000000', countMax: 50 }],
  },
  risk: [
    { name: 'blocked-mcc', reject: "order.merchant.merchantMCC in ['7995', '6211', '5967']" },
    { name: 'blocked-region', reject: "order.merchant.merchantAddress.region in ['KP', 'IR']" },
    { name: 'customer-velocity', reject: 'recent.customerOrders10m >= 20' },
    { name: 'customer-day', reject: 'recent.customerOrders24h >= 50' },
    { name: 'code-velocity', reject: 'recent.codeOrders10m >= 1000000' },
    { name: 'merchant-velocity', reject: 'recent.merchantOrders10m >= 10000000' },
    {
      name: 'large-and-unknown',
      reject: '!has(order.customerId) && order.paymentAmount.value > 100000',
    },
    { name: 'headless', reject: "order.env.userAgent.contains('HeadlessChrome')" },
    {
      name: 'large-to-small-merchant',
      reject: 'merchant.kybLevel < 2 && order.paymentAmount.value > 500000',
    },
    {
      name: 'quick-and-large',
      reject: 'recent.customerOrders10m >= 3 && order.paymentAmount.value >= 1000000',
    },
  ],
}
