import type { FinalCode } from '@placeorder/protocol'
import type { Facts } from './facts.ts'
import type { Contract, MerchantRecord } from './records.ts'

/**
 * Whether the merchant agreed to this: a contract in force for the wallet, for this type of code, in the payment
 * currency. One contract must cover all three. An unknown code has no type, so it is left to `judgeCode`.
 */
export function judgeContract({ order, claimedAt, merchant, code }: Facts): FinalCode {
  const inForce = contractsOf(merchant, order.pspId).filter((contract) =>
    isInForce(contract, claimedAt),
  )
  if (inForce.length === 0) return 'INVALID_CONTRACT'
  const ofType =
    code === undefined ? inForce : inForce.filter(({ codeTypes }) => codeTypes.includes(code.type))
  if (ofType.length === 0) return 'BUSINESS_NOT_SUPPORT'
  const { currency } = order.paymentAmount
  if (!ofType.some(({ currencies }) => currencies.includes(currency))) return 'CURRENCY_NOT_SUPPORT'
  return 'SUCCESS'
}

/**
 * The contracts that speak about this wallet: those that name it; those for all (`*`) only when none does. So a
 * wallet can be shut out, or given other terms, beside a contract for all others.
 */
function contractsOf(merchant: MerchantRecord | undefined, pspId: string): Contract[] {
  const contracts = merchant?.contracts ?? []
  const naming = contracts.filter(({ pspIds }) => pspIds.includes(pspId))
  if (naming.length > 0) return naming
  return contracts.filter(({ pspIds }) => pspIds.includes('*'))
}

/** `from` belongs to a contract's time, `until` no longer does. */
function isInForce(contract: Contract, now: number): boolean {
  if (contract.status !== 'ACTIVE') return false
  if (now < Date.parse(contract.from)) return false
  return contract.until == null || now < Date.parse(contract.until)
}
