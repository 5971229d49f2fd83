import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { wrongAcquirers } from '../../test/faulty-behaviours.ts'
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

const who = () => ['--url', acquirer.url.href, '--key', files.key, '--server-key', files.serverKey]

async function run(...args: string[]) {
  const { terminal, out, err } = recorder()
  const code = await command.run([...who(), ...args], terminal)
  return { code, out: out(), err: err() }
}

/** The right acquirer makes way for one of the wrong ones. */
async function becomes(what: string): Promise<void> {
  await acquirer[Symbol.asyncDispose]()
  const wrong = wrongAcquirers.find((one) => one.what === what)
  if (wrong === undefined) throw new Error(`there is no wrong acquirer that ${what}`)
  acquirer = await new SmallAcquirer(keys, { ways: wrong.ways }).listen()
}

describe('acceptance', () => {
  test('tells of each case its rule and source, what was expected and what came, and exits with 0', async () => {
    const { code, out } = await run('--only', 'codes')
    expect(code).toBe(0)
    expect(out).toMatch(/^case +rule +source +expected +got +verdict$/m)
    expect(out).toMatch(
      /^codes\/unknown-code +An order for a code that nobody made is refused\. +placeOrder\.txt, INVALID_CODE +INVALID_CODE +INVALID_CODE +pass$/m,
    )
    expect(out).toMatch(/9 passed, 0 failed, 0 skipped in \d+\.\d s$/m)
  })

  test('tells of what failed what it does to a payer and shows the exchange, and exits with 1', async () => {
    acquirer.behave = () => ({ code: 'RISK_REJECT' })
    const { code, out } = await run('--only', 'structure/unknown-fields')
    expect(code).toBe(1)
    expect(out).toMatch(/^structure\/unknown-fields .* RISK_REJECT +FAIL$/m)
    expect(out).toContain('breaks    On the day Alipay+ adds a field no payer can pay any more.')
    expect(out).toContain('"tomorrow":"1"')
    expect(out).toContain('"resultCode":"RISK_REJECT"')
    expect(out).toContain('0 passed, 1 failed, 0 skipped')
  })

  test('cases whose state is not in the fixtures file are skipped, and seen', async () => {
    const { code, out } = await run('--only', 'states/EXPIRED_CODE')
    expect(code).toBe(0)
    expect(out).toMatch(/^states\/EXPIRED_CODE .* no "EXPIRED_CODE" in the fixtures file +skip$/m)
    expect(out).toContain('0 passed, 0 failed, 2 skipped')
  })

  test('the fixtures file changes the sample, and says how many orders come before a limit', async () => {
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

  test('an order that is answered U at first is asked for again until it is final', async () => {
    acquirer.behave = ({ kind }, nth) =>
      nth === 0 && kind === 'place' ? { code: 'PAYMENT_IN_PROCESS', forget: true } : {}
    const { code } = await run('--only', 'structure/field-order,idempotency/at-once')
    expect(code).toBe(0)
  })

  test('--without leaves out, by name or by whose word it is', async () => {
    const { out } = await run('--only', 'headers', '--without', 'headers/time,ours', '--json')
    const names = JSON.parse(out).cases.map(({ name }: { name: string }) => name)
    expect(names).toContain('headers/lower-case')
    expect(names).not.toContain('headers/second-signature')
    expect(names.some((name: string) => name.startsWith('headers/time'))).toBe(false)
  })

  test('--list tells the cases and sends nothing', async () => {
    const { code, out } = await run('--list')
    expect(code).toBe(0)
    expect(out).toMatch(/^case +rule +source +expected +fixture$/m)
    expect(out.trimEnd().split('\n').length).toBeGreaterThan(250)
    expect(acquirer.seen).toEqual([])
  })

  test('--json tells all that went over the wire', async () => {
    const { out } = await run('--only', 'signature/base64url-padded', '--json')
    const { passed, cases } = JSON.parse(out)
    expect(passed).toBe(1)
    expect(cases[0]).toMatchObject({
      name: 'signature/base64url-padded',
      source: { page: 'PROTOCOL.md', word: 'sdk' },
      verdict: 'PASSED',
      exchanges: [{ answer: { httpStatus: 200, signature: 'GOOD' } }],
    })
    expect(cases[0].exchanges[0].request.headers).toContainEqual([
      'Signature',
      expect.stringMatching(/[-_].*==$/),
    ])
  })

  test('a narrow terminal shows cases and verdicts in lines that fit', async () => {
    const lines: string[] = []
    const out = {
      write: (text: string) => lines.push(...text.split('\n')),
      isTTY: true,
      columns: 100,
    }
    const terminal = openTerminal({ out, err: { write: () => {} }, env: { NO_COLOR: '1' } })
    expect(await command.run([...who(), '--only', 'codes,states'], terminal)).toBe(0)
    const shown = lines.filter((line) => /^(codes|states)\//.test(line))
    expect(shown).toHaveLength(29)
    expect(Math.max(...shown.map(({ length }) => length))).toBeLessThanOrEqual(100)
    expect(shown.every((line) => /(pass|skip)$/.test(line))).toBe(true)
  })

  test('says that nobody is there, and exits with 1', async () => {
    const port = acquirer.port
    await acquirer[Symbol.asyncDispose]()
    const { terminal, err } = recorder()
    const nobody = ['--url', `http://127.0.0.1:${port}/placeOrder`, '--key', files.key]
    expect(await command.run([...nobody, '--server-key', files.serverKey], terminal)).toBe(1)
    expect(err()).toContain('ECONNREFUSED')
    acquirer = await new SmallAcquirer(keys).listen()
  })

  test.each([
    ['a case that is none', ['--only', 'nonsense'], "'nonsense' names no case"],
    ['nothing left', ['--only', 'codes', '--without', 'codes'], 'leave no case'],
    ['a concurrency of nothing', ['--concurrency', '0'], '--concurrency 0'],
    ['a sample that is not there', ['--sample', '/nowhere.json'], '--sample /nowhere.json'],
  ])('does not understand %s', async (_what, args, words) => {
    await expect(run(...args)).rejects.toThrow(UsageError)
    await expect(run(...args)).rejects.toThrow(words)
  })

  test.each([
    ['is no JSON', '{', 'is not JSON'],
    ['names what is no state', '{ "EXPIRED": { "order": {} } }', 'EXPIRED'],
    ['has an order that is none', '{ "EXPIRED_CODE": { "order": "x" } }', 'EXPIRED_CODE.order'],
    ['has a field too many', '{ "EXPIRED_CODE": { "order": {}, "before": 1 } }', 'before'],
  ])('names what is wrong with a fixtures file that %s', async (_what, text, words) => {
    const fixtures = join(dir, 'wrong.json')
    await writeFile(fixtures, text)
    await expect(run('--fixtures', fixtures)).rejects.toThrow(UsageError)
    await expect(run('--fixtures', fixtures)).rejects.toThrow(words)
  })

  test('needs the key of the acquirer: unsigned answers are what it is for', async () => {
    const main = join(import.meta.dirname, '../main.ts')
    const args = [main, 'acceptance', '--url', acquirer.url.href, '--key', files.key]
    // In a folder of its own, where no key lies where it would be looked for.
    await expect(promisify(execFile)(process.execPath, args, { cwd: dir })).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--server-key: '),
    })
  })
})

describe('the JUnit report', () => {
  test('counts cases by chapter, and says what failed and why', async () => {
    const junit = join(dir, 'reports', 'junit.xml')
    await becomes('forgets orders')
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
