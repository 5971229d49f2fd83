import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ConfigFault } from '@placeorder/config'
import { expect, test } from 'vitest'
import { noOpChecksObserver } from '../test/worker-store.ts'
import { parseRulebook } from './rulebook.ts'

const path = join(import.meta.dirname, '../../../config/policy.json')
const policy = JSON.parse(await readFile(path, 'utf8'))

async function faultsOf(changes: Record<string, unknown>): Promise<readonly string[]> {
  const parsing = parseRulebook(
    JSON.stringify({ ...policy, ...changes }),
    'policy.json',
    noOpChecksObserver,
  )
  const fault = await parsing.catch((error: unknown) => error)
  if (!(fault instanceof ConfigFault)) throw new Error('there is no fault')
  return fault.faults
}

const dayLimit = (amountMax: string) => ({
  limits: { timeZone: 'UTC', merchantDay: [{ currency: 'CNY', amountMax }] },
})

test('a limit past the largest signed 64-bit number stops the start', async () => {
  const largest = JSON.stringify({ ...policy, ...dayLimit('9223372036854775807') })
  await expect(parseRulebook(largest, 'policy.json', noOpChecksObserver)).resolves.toBeDefined()
  expect(await faultsOf(dayLimit('9223372036854775808'))).toEqual([
    expect.stringMatching(
      /^policy\.json: limits\.merchantDay\.0\.amountMax: is more than 9223372036854775807/,
    ),
  ])
})

test('every fault is named with file and place: of schema, rules and checks', async () => {
  expect(
    await faultsOf({ kyb: { levelMin: -1 }, risk: [{ name: 'a b', reject: 'true' }] }),
  ).toEqual([
    expect.stringMatching(/^policy\.json: kyb\.levelMin: /),
    expect.stringMatching(/^policy\.json: risk\.0\.name: /),
  ])
  const typos = [
    { name: 'one', reject: 'order.nope == 1' },
    { name: 'two', reject: '1 + ' },
  ]
  expect(await faultsOf({ risk: typos })).toEqual([
    expect.stringMatching(/^policy\.json: risk\[0\] one: /),
    expect.stringMatching(/^policy\.json: risk\[1\] two: /),
  ])
  const lost = (name: string) => ({ name, module: `./${name}.ts`, timeoutMs: 5, after: 'code' })
  expect([...(await faultsOf({ checks: [lost('three'), lost('four')] }))].toSorted()).toEqual([
    expect.stringMatching(/^policy\.json: checks\.0 three: the module cannot be used: /),
    expect.stringMatching(/^policy\.json: checks\.1 four: the module cannot be used: /),
  ])
})

test('text that is not JSON is a fault', async () => {
  await expect(parseRulebook('{', 'policy.json', noOpChecksObserver)).rejects.toThrow(
    /policy\.json: is not JSON/,
  )
})
