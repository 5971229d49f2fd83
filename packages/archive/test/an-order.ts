import { randomUUID } from 'node:crypto'
import type { OrderToArchive } from '../src/archived-order.ts'

const CLAIMED_AT = Date.UTC(2026, 2, 14, 9, 26, 53, 589)

/** An order to archive that differs from every other in its ids. */
export const anOrder = (given: Partial<OrderToArchive> = {}): OrderToArchive => ({
  acquirerId: '1020000000000000001',
  paymentId: randomUUID(),
  paymentRequestId: randomUUID(),
  terms: '100 CNY 100 CNY ',
  outcome: 'SUCCESS',
  pspId: 'PSP-1',
  clientId: 'C-1',
  merchantId: 'M-1',
  claimedAt: CLAIMED_AT,
  concludedAt: CLAIMED_AT + 20,
  storeId: 'S-1',
  amount: '100',
  currency: 'CNY',
  codeDigest: 'code',
  customerDigest: undefined,
  request: '3["PSP-1"]',
  ...given,
})
