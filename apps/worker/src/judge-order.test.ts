import { readFile } from 'node:fs/promises'
import { compilePolicy, type Facts, Policy, type StepName } from '@placeorder/decision'
import type { Outcome } from '@placeorder/store'
import { aPlaceOrder } from '@placeorder/testkit'
import { expect, test } from 'vitest'
import { factsOf } from '../test/facts.ts'
import { judgeOrder } from './judge-order.ts'

const policyFile = new URL('../../../config/policy.json', import.meta.url)
const policy = compilePolicy(Policy.parse(JSON.parse(await readFile(policyFile, 'utf8'))))
const order = aPlaceOrder()
const merchantId = order.merchant.referenceMerchantId
const contract = {
  pspIds: ['*'],
  status: 'ACTIVE' as const,
  from: '2020-01-01T00:00:00Z',
  codeTypes: ['ENTRY_CODE' as const],
  currencies: ['CNY'],
}
const good: Facts = {
  ...factsOf(order),
  merchant: { merchantId, status: 'ACTIVE', kybLevel: 1, contracts: [contract] },
  code: { codeValue: order.codeValue, type: 'ENTRY_CODE', merchantId, status: 'OPEN' },
}

type CheckAnswer = { after?: StepName; answers: Outcome }

test.each<[string, CheckAnswer[], Outcome, Facts?]>([
  [
    'that of the first of two checks that pass',
    [{ answers: 'SUCCESS a' }, { answers: 'SUCCESS b' }],
    'SUCCESS a',
  ],
  ['the only one there is', [{ answers: 'SUCCESS' }, { answers: 'SUCCESS b' }], 'SUCCESS b'],
  [
    'that of the check that is given first',
    [{ answers: 'SUCCESS a', after: 'risk' }, { answers: 'SUCCESS b' }],
    'SUCCESS b',
  ],
  [
    'that of the check that refuses',
    [{ answers: 'SUCCESS a' }, { answers: 'RISK_REJECT b' }],
    'RISK_REJECT b',
  ],
  [
    'nothing of a check that passes, when another refuses',
    [{ answers: 'SUCCESS a' }, { answers: 'RISK_REJECT' }],
    'RISK_REJECT',
  ],
  [
    'nothing, when the code is refused after a check',
    [{ answers: 'SUCCESS a' }],
    'INVALID_CODE',
    { ...good, code: undefined },
  ],
])('the passThroughInfo answered is %s', async (_, given, outcome, facts = good) => {
  const checks = given.map(({ after = 'merchant', answers }, i) => ({
    name: `own-${i}`,
    after,
    run: async () => answers,
  }))
  const never = new AbortController().signal
  expect(await judgeOrder(facts, { policy, checks }, never)).toBe(outcome)
})
