import { type Facts, type Recent, recentCounters } from '@placeorder/decision'
import { aPlaceOrder } from '@placeorder/testkit'

/** The facts of an order of an active merchant without contracts. */
export const factsOf = (order = aPlaceOrder(), clientId = 'C-1'): Facts => ({
  order,
  clientId,
  claimedAt: Date.now(),
  merchant: {
    merchantId: order.merchant.referenceMerchantId,
    status: 'ACTIVE',
    kybLevel: 1,
    contracts: [],
  },
  code: undefined,
  codeHeldBy: undefined,
  recent: Object.fromEntries(recentCounters.map((counter) => [counter, 0])) as Recent,
})
