import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { aPlaceOrder } from '@placeorder/testkit'
import { afterAll, expect, test } from 'vitest'
import { z } from 'zod'
import { factsOf } from '../../test/facts.ts'
import { noOpChecksObserver } from '../../test/worker-store.ts'
import { parseRulebook } from '../rulebook.ts'
import { IsolatedJudge, JudgeDied } from './isolated-judge.ts'

const config = join(import.meta.dirname, '../../../../config/policy.json')
const dir = await mkdtemp(join(tmpdir(), 'placeorder-isolated-'))
const policyFile = join(dir, 'policy.json')

/** The paymentId says what the check does with the order. */
const check = `export default ({ order }) => {
  if (order.paymentId.startsWith('abort')) process.abort()
  if (order.paymentId.startsWith('exit')) process.exit(3)
  if (order.paymentId.startsWith('hang')) for (;;);
  if (order.paymentId.startsWith('throw')) throw new Error('lost')
  return order.paymentId.startsWith('refuse') ? 'RISK_REJECT' : 'SUCCESS'
}`
await writeFile(join(dir, 'check.mjs'), check)
const checks = [{ name: 'own', after: 'merchant', timeoutMs: 500, module: './check.mjs' }]
const policy = z.looseObject({}).parse(JSON.parse(await readFile(config, 'utf8')))
await writeFile(policyFile, JSON.stringify({ ...policy, checks }))
const rulebook = await parseRulebook(
  await readFile(policyFile, 'utf8'),
  policyFile,
  noOpChecksObserver,
)

const isolated = new IsolatedJudge({ policyFile, checksMs: 500 })
const never = new AbortController().signal
const judge = (paymentId: string) =>
  isolated.judge(factsOf(aPlaceOrder({ paymentId })), rulebook, never)
afterAll(async () => {
  isolated.close()
  await rm(dir, { recursive: true })
})

test('an order is judged by the policy file, and its checks', async () => {
  expect(await judge('refuse it')).toBe('RISK_REJECT')
  expect(await judge('let it pass')).toBe('INVALID_CONTRACT')
}, 60_000)

test.each([
  ['aborts', JudgeDied, 'SIGABRT'],
  ['exits', JudgeDied, 'exit 3'],
  ['hangs', JudgeDied, 'did not answer in 1500 ms'],
  ['throws', Error, 'check own could not decide: lost'],
])(
  'an order whose check %s is undecided, and the next one is judged',
  async (what, kind, why) => {
    const dying = judge(`${what.replace(/s$/, '')} of it`)
    const next = judge('refuse it')
    await expect(dying).rejects.toThrow(kind)
    await expect(dying).rejects.toThrow(why)
    expect(await next).toBe('RISK_REJECT')
  },
  60_000,
)

test('a policy that changed is read again', async () => {
  const { policy } = rulebook
  await writeFile(policyFile, JSON.stringify({ ...JSON.parse(await readFile(config, 'utf8')) }))
  const facts = factsOf(aPlaceOrder({ paymentId: 'refuse it' }))
  expect(await isolated.judge(facts, { policy, checks: [] }, never)).toBe('INVALID_CONTRACT')
}, 60_000)
