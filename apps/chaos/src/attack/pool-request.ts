import { aPlaceOrder } from '@placeorder/testkit'
import type { Placed } from './shot.ts'
import { type ShotSigner, signedBytes } from './signed-bytes.ts'

const target = '/aps/api/v1/payments/placeOrder'

/** The request for an order of the pool: the same in every run, but for its time and signature. */
export function poolRequest(number: number, signing: ShotSigner): Omit<Placed, 'paymentRequestId'> {
  const paymentId = `POOL-${number}`
  const order = aPlaceOrder({ paymentId, customerId: `C-${paymentId}` })
  const bytes = signedBytes(target, Buffer.from(JSON.stringify(order)), signing)
  return { bytes, target, paymentId }
}
