import type { Facts } from '@placeorder/decision'
import type { FinalCode } from '@placeorder/protocol'

// A check as a module: refuses payments above 10,000.00 CNY from 01:00 to 05:00 in Shanghai.

const hourIn = new Intl.DateTimeFormat('en', {
  timeZone: 'Asia/Shanghai',
  hour: 'numeric',
  hourCycle: 'h23',
})

export default async function nightCheck({ order, claimedAt }: Facts): Promise<FinalCode> {
  const hour = Number(hourIn.format(claimedAt))
  const { value, currency } = order.paymentAmount
  const isLarge = currency === 'CNY' && BigInt(value) > 1_000_000n
  return isLarge && hour >= 1 && hour < 5 ? 'PAYMENT_AMOUNT_EXCEED_LIMIT' : 'SUCCESS'
}
