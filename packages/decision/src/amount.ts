import type { FinalCode } from '@placeorder/protocol'
import type { JudgingPolicy } from './compile-policy.ts'
import type { Facts } from './facts.ts'
import { followsQuote } from './quote.ts'

/**
 * Whether the amounts are valid: neither is zero; an order code's amount is paid exactly; in the
 * same currency both are equal (placeOrder.txt, settlementAmount); and between two currencies the
 * quote leads from one to the other.
 */
export function judgeAmount(
  { order, code }: Facts,
  policy: Pick<JudgingPolicy, 'settlementToleranceUnits' | 'settlementToleranceUnitsOf'>,
): FinalCode {
  const { paymentAmount: paid, settlementAmount: settled, settlementQuote: quote } = order
  if (paid.value === '0' || settled.value === '0') return 'PAYMENT_AMOUNT_INVALID'
  if (code?.type === 'ORDER_CODE' && !isSame(code.amount, paid)) return 'PAYMENT_AMOUNT_INVALID'
  if (paid.currency === settled.currency)
    return isSame(paid, settled) ? 'SUCCESS' : 'PAYMENT_AMOUNT_INVALID'
  if (quote === undefined) return 'PAYMENT_AMOUNT_INVALID'
  const tolerance =
    policy.settlementToleranceUnitsOf.get(settled.currency) ?? policy.settlementToleranceUnits
  if (!followsQuote(paid, settled, quote, tolerance)) return 'PAYMENT_AMOUNT_INVALID'
  return 'SUCCESS'
}

type Money = { readonly value: string; readonly currency: string }

/**
 * Each value has one spelling (no sign, point or leading zero), so equal texts are equal amounts.
 */
const isSame = (one: Money, other: Money): boolean =>
  one.currency === other.currency && one.value === other.value
