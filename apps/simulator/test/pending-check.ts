import { setTimeout as pause } from 'node:timers/promises'

/** How long an order of the merchant Slow is open, in ms: longer than WAIT_MS in the test. */
const SLOW_MS = 1_200

type Facts = { order: { merchant: { merchantName?: string } }; claimedAt: number }

/** A check that is slow for some orders and fails for others, as a risk service may. */
export default async function pendingCheck({ order, claimedAt }: Facts): Promise<string> {
  const { merchantName } = order.merchant
  if (merchantName === 'Slow') await pause(Math.max(0, claimedAt + SLOW_MS - Date.now()))
  return merchantName === 'Broken' ? 'PROCESS_FAIL' : 'SUCCESS'
}
