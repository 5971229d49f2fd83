import { randomUUID } from 'node:crypto'
import type { PlaceOrderRequest } from '@placeorder/protocol'
import sampleOrder from '../../../config/sample-order.json' with { type: 'json' }

/** The sample of placeOrder.txt with a paymentId of its own; a test names only what it is about. */
export function aPlaceOrder(changes: Partial<PlaceOrderRequest> = {}): PlaceOrderRequest {
  return { ...sampleOrder, paymentId: `T-${randomUUID()}`, env: {}, ...changes }
}
