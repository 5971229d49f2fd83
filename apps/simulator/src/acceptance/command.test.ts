import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { faultyAcquirers } from '../../test/faulty-behaviours.ts'
import { makeKeys, writeKeys } from '../../test/keys.ts'
import { recorder } from '../../test/recorder.ts'
import { SmallAcquirer } from '../../test/small-acquirer.ts'
import { UsageError } from '../cli/command.ts'
import { openTerminal } from '../cli/terminal.ts'
import { command } from './command.ts'

const keys = makeKeys()
let files: Awaited<ReturnType<typeof writeKeys>>
let dir: string
let acquirer: SmallAcquirer
beforeAll(async () => {
  files = await writeKeys(keys)
  dir = await mkdtemp(join(tmpdir(), 'acceptance-'))
})
afterAll(async () => {
  await files[Symbol.asyncDispose]()
  await rm(dir, { recursive: true })
})
beforeEach(async () => {
  acquirer = await new SmallAcquirer(keys).listen()
})
afterEach(() => acquirer[Symbol.asyncDispose]())

const callerArgs = () => [
  '--url',
  acquirer.url.href,
  '--key',
  files.key,
  '--server-key',
  files.serverKey,
]

async function run(...args: string[]) {
  const { terminal, out, err } = recorder()
  const code = await command.run([...callerArgs(), ...args], terminal)
  return { code, out: out(), err: err() }
}

/** Replaces the reference acquirer by a faulty one. */
async function useFaultyAcquirer(what: string): Promise<void> {
  await acquirer[Symbol.asyncDispose]()
  const faulty = faultyAcquirers.find((one) => one.what === what)
  if (faulty === undefined) throw new Error(`there is no faulty acquirer that ${what}`)
  acquirer = await new SmallAcquirer(keys, { behaviours: faulty.behaviours }).listen()
}

describe('acceptance', () => {
  test('the table has rule, source, expectation and result of each case', async () => {
    const { code, out } = await run('--only', 'codes')
    expect(code).toBe(0)
    expect(out).toMatch(/^case +rule +source +expected +got +verdict$/m)
    expect(out).toMatch(
      new RegExp(
        '^codes/unknown-code +An order for an unknown code is refused\\. +' +
          'placeOrder\\.txt, INVALID_CODE +INVALID_CODE +INVALID_CODE +pass$',
        'm',
      ),
    )
    expect(out).toMatch(/9 passed, 0 failed, 0 skipped in \d+\.\d s$/m)
  })

  test('a failure exits with 1 and shows its exchange and what breaks for a payer', async () => {
    acquirer.override = () => ({ code: 'RISK_REJECT' })
    const { code, out } = await run('--only', 'structure/unknown-fields')
    expect(code).toBe(1)
    expect(out).toMatch(/^structure\/unknown-fields .* RISK_REJECT +FAIL$/m)
    expect(out).toContain('breaks    When Alipay+ adds a field, no payer can pay any more.')
    expect(out).toContain('"tomorrow":"1"')
    expect(out).toContain('"resultCode":"RISK_REJECT"')
    expect(out).toContain('0 passed, 1 failed, 0 skipped')
  })

  test('cases without an entry in the fixtures file are shown as skipped', async () => {
    const { code, out } = await run('--only', 'states/EXPIRED_CODE')
    expect(code).toBe(0)
    expect(out).toMatch(/^states\/EXPIRED_CODE .* no "EXPIRED_CODE" in the fixtures file +skip$/m)
    expect(out).toContain('0 passed, 0 failed, 2 skipped')
  })

  test('the fixtures file changes the sample and counts the orders before a limit', async () => {
    const fixtures = join(dir, 'fixtures.json')
    const merchant = { referenceMerchantId: 'M-PAYMENT_COUNT_EXCEED_LIMIT' }
    const entry = { order: { merchant, customerId: null }, after: 2 }
    await writeFile(fixtures, JSON.stringify({ PAYMENT_COUNT_EXCEED_LIMIT: entry }))
    const only = ['--only', 'states/PAYMENT_COUNT', '--concurrency', '1']
    const { code, out } = await run(...only, '--fixtures', fixtures)
    expect(out).toContain('2 passed, 0 failed, 0 skipped')
    expect(code).toBe(0)
    const placed = [...acquirer.orders.values()].filter(
      ({ order }) => order.merchant.referenceMerchantId === merchant.referenceMerchantId,
    )
    expect(placed.map(({ outcome }) => outcome).slice(0, 3)).toEqual([
      'SUCCESS',
      'SUCCESS',
      'PAYMENT_COUNT_EXCEED_LIMIT',
    ])
    expect(placed.every(({ order }) => order.customerId === undefined)).toBe(true)
  })

  test('an order that is answered U is repeated until it is final', async () => {
    acquirer.override = ({ kind }, nth) =>
      nth === 0 && kind === 'place' ? { code: 'PAYMENT_IN_PROCESS', forget: true } : {}
    const { code } = await run('--only', 'structure/field-order,idempotency/at-once')
    expect(code).toBe(0)
  })

  test('--without excludes cases by name or by the origin of their rule', async () => {
    const { out } = await run('--only', 'headers', '--without', 'headers/time,ours', '--json')
    const names = JSON.parse(out).cases.map(({ name }: { name: string }) => name)
    expect(names).toContain('headers/lower-case')
    expect(names).not.toContain('headers/second-signature')
    expect(names.some((name: string) => name.startsWith('headers/time'))).toBe(false)
  })

  test('--list prints the cases and sends nothing', async () => {
    const { code, out } = await run('--list')
    expect(code).toBe(0)
    expect(out).toMatch(/^case +rule +source +expected +fixture$/m)
    expect(out.trimEnd().split('\n').length).toBeGreaterThan(250)
    expect(acquirer.received).toEqual([])
  })

  test('--json prints every request and answer', async () => {
    const { out } = await run('--only', 'signature/base64url-padded', '--json')
    const { passed, cases } = JSON.parse(out)
    expect(passed).toBe(1)
    expect(cases[0]).toMatchObject({
      name: 'signature/base64url-padded',
      source: { page: 'PROTOCOL.md', origin: 'sdk' },
      verdict: 'PASSED',
      exchanges: [{ answer: { httpStatus: 200, signature: 'GOOD' } }],
    })
    expect(cases[0].exchanges[0].request.headers).toContainEqual([
      'Signature',
      expect.stringMatching(/[-_].*==$/),
    ])
  })

  test('lines fit a narrow terminal and still show case and verdict', async () => {
    const lines: string[] = []
    const out = {
      write: (text: string) => lines.push(...text.split('\n')),
      isTTY: true,
      columns: 100,
    }
    const terminal = openTerminal({ out, err: { write: () => {} }, env: { NO_COLOR: '1' } })
    expect(await command.run([...callerArgs(), '--only', 'codes,states'], terminal)).toBe(0)
    const shown = lines.filter((line) => /^(codes|states)\//.test(line))
    expect(shown).toHaveLength(29)
    expect(Math.max(...shown.map(({ length }) => length))).toBeLessThanOrEqual(100)
    expect(shown.every((line) => /(pass|skip)$/.test(line))).toBe(true)
  })

  test('an unreachable acquirer exits with 1 and the reason', async () => {
    const port = acquirer.port
    await acquirer[Symbol.asyncDispose]()
    const { terminal, err } = recorder()
    const nobody = ['--url', `http://127.0.0.1:${port}/placeOrder`, '--key', files.key]
    expect(await command.run([...nobody, '--server-key', files.serverKey], terminal)).toBe(1)
    expect(err()).toContain('ECONNREFUSED')
    acquirer = await new SmallAcquirer(keys).listen()
  })

  test.each([
    ['an unknown case', ['--only', 'nonsense'], "'nonsense' names no case"],
    ['a selection without cases', ['--only', 'codes', '--without', 'codes'], 'leave no case'],
    ['a concurrency of 0', ['--concurrency', '0'], '--concurrency 0'],
    ['a sample that does not exist', ['--sample', '/nowhere.json'], '--sample /nowhere.json'],
  ])('%s is refused', async (_what, args, message) => {
    await expect(run(...args)).rejects.toThrow(UsageError)
    await expect(run(...args)).rejects.toThrow(message)
  })

  test.each([
    ['is not JSON', '{', 'is not JSON'],
    ['names an unknown state', '{ "EXPIRED": { "order": {} } }', 'EXPIRED'],
    [
      'has an order that is not an object',
      '{ "EXPIRED_CODE": { "order": "x" } }',
      'EXPIRED_CODE.order',
    ],
    ['has an unknown field', '{ "EXPIRED_CODE": { "order": {}, "before": 1 } }', 'before'],
  ])('an error names the fault of a fixtures file that %s', async (_what, text, message) => {
    const fixtures = join(dir, 'wrong.json')
    await writeFile(fixtures, text)
    await expect(run('--fixtures', fixtures)).rejects.toThrow(UsageError)
    await expect(run('--fixtures', fixtures)).rejects.toThrow(message)
  })

  test('the key of the acquirer is required, since answers must be verified', async () => {
    const main = join(import.meta.dirname, '../main.ts')
    const args = [main, 'acceptance', '--url', acquirer.url.href, '--key', files.key]
    // In a folder of its own, without a key at the default path.
    await expect(promisify(execFile)(process.execPath, args, { cwd: dir })).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--server-key: '),
    })
  })
})

describe('the JUnit report', () => {
  test('counts cases by chapter and says what failed and why', async () => {
    const junit = join(dir, 'reports', 'junit.xml')
    await useFaultyAcquirer('forgets orders')
    const { code } = await run(
      '--only',
      'idempotency/in-turn,codes/get,states/RISK',
      '--junit',
      junit,
    )
    expect(code).toBe(1)
    const xml = await readFile(junit, 'utf8')
    expect(xml).toMatch(
      /<testsuites name="[^"]+" tests="4" failures="1" errors="0" skipped="2" time="[\d.]+">/,
    )
    expect(xml.match(/<testsuite name=/g)).toHaveLength(3)
    expect(xml).toContain('<failure message="expected SUCCESS, got SUCCESS ')
    expect(xml).toContain('The payer pays twice.')
    expect(xml).toContain('<skipped message="no &quot;RISK_REJECT&quot; in the fixtures file"/>')
  })
})
