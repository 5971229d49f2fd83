import type { FinalCode } from '@placeorder/protocol'
import type { Facts } from './facts.ts'
import type { Contract, MerchantRecord } from './records.ts'

/**
 * Whether a contract in force covers the wallet, the type of the code, and the payment currency,
 * all three. An unknown code has no type: it is left to `judgeCode`.
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
 * The contracts for this wallet: those that name it, or those for all (`*`) if none does. So a
 * wallet can be excluded, or get other terms, beside a contract for all others.
 */
function contractsOf(merchant: MerchantRecord | undefined, pspId: string): Contract[] {
  const contracts = merchant?.contracts ?? []
  const naming = contracts.filter(({ pspIds }) => pspIds.includes(pspId))
  if (naming.length > 0) return naming
  return contracts.filter(({ pspIds }) => pspIds.includes('*'))
}

/** `from` is inclusive, `until` exclusive. */
function isInForce(contract: Contract, now: number): boolean {
  if (contract.status !== 'ACTIVE') return false
  if (now < Date.parse(contract.from)) return false
  return contract.until == null || now < Date.parse(contract.until)
}
