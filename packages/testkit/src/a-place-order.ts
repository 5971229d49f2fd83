import { randomUUID } from 'node:crypto'
import type { PlaceOrderRequest } from '@placeorder/protocol'

/** The sample of placeOrder.txt with a paymentId of its own; a test names only what it is about. */
export function aPlaceOrder(changes: Partial<PlaceOrderRequest> = {}): PlaceOrderRequest {
  return {
    acquirerId: '1020000000000000001',
    pspId: '1020000000000000001',
    codeValue: '281004132828992222233',
    paymentId: `T-${randomUUID()}`,
    paymentAmount: { value: '100', currency: 'CNY' },
    settlementAmount: { value: '100', currency: 'CNY' },
    merchant: {
      referenceMerchantId: 'M00000000001',
      merchantName: 'UGG',
      merchantMCC: '5411',
      merchantAddress: { region: 'JP', city: 'xxx' },
      store: { referenceStoreId: 'S00000000001', storeName: 'UGG-2', storeMCC: '5411' },
    },
    customerId: '210282121122',
    env: {},
    ...changes,
  }
}
