export { judgeAmount } from './amount.ts'
export { judgeCode } from './code.ts'
export {
  type CurrencyLimit,
  compilePolicy,
  type JudgingPolicy,
  PolicyFault,
  recentUsed,
} from './compile-policy.ts'
export { judgeContract } from './contract.ts'
export { type Facts, type Recent, type RecentCounter, recentCounters } from './facts.ts'
export { judge, type LadderStep, ladder } from './judge.ts'
export { judgePerPayment, type LimitUse, limitUses } from './limit.ts'
export { DayLimit, LIMIT_AMOUNT_MAX, Limits, PaymentLimit, PolicyLimits } from './limits.ts'
export { judgeMerchant } from './merchant.ts'
export {
  CheckEntry,
  HttpCheck,
  Kyb,
  ModuleCheck,
  Policy,
  RiskRule,
  type StepName,
  stepNames,
} from './policy.ts'
export {
  CodeRecord,
  CodeType,
  Contract,
  DirectoryFile,
  EntryCodeRecord,
  MerchantRecord,
  OrderCodeRecord,
} from './records.ts'
export { judgeRisk } from './risk.ts'
export { RuleFault } from './rules/rules.ts'
