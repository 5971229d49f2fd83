import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { makeKeys, writeKeys } from '../../test/keys.ts'
import { recorder } from '../../test/recorder.ts'
import { SmallAcquirer } from '../../test/small-acquirer.ts'
import { command } from './command.ts'

const keys = makeKeys()
let files: Awaited<ReturnType<typeof writeKeys>>
let dir: string
let acquirer: SmallAcquirer
beforeAll(async () => {
  files = await writeKeys(keys)
  dir = await mkdtemp(join(tmpdir(), 'load-'))
})
afterAll(async () => {
  await files[Symbol.asyncDispose]()
  await rm(dir, { recursive: true })
})
beforeEach(async () => {
  acquirer = await new SmallAcquirer(keys).listen()
})
afterEach(() => acquirer[Symbol.asyncDispose]())

const callerArgs = (url = acquirer.url.href) => [
  ...['--url', url, '--key', files.key, '--server-key', files.serverKey],
  ...['--report', report()],
]
const report = () => join(dir, 'reports', 'load.html')

async function run(...args: string[]) {
  const { terminal, out, err } = recorder()
  const fast = ['--time-factor', '0.001', '--connections', '4']
  const code = await command.run([...callerArgs(), ...fast, ...args], terminal)
  return { code, out: out(), err: err() }
}
const summaryOf = (out: string) => JSON.parse(out)

describe('load', () => {
  test('a run sends its mix, counts answers by code, and meets its objectives', async () => {
    const { code, out } = await run('--amount', '300', '--json', '--p99', '5000', '--u-share', '0')
    const summary = summaryOf(out)
    expect(summary.statuses.LOST).toBe(0)
    expect(summary.met).toBe(true)
    expect(code).toBe(0)
    expect(summary.sent).toBeGreaterThan(280)
    const codes = new Map(
      summary.codes.map((count: { code: string; byKind: object }) => [count.code, count.byKind]),
    )
    expect(codes.get('REPEAT_REQ_INCONSISTENT')).toMatchObject({ new: 0, repeat: 0, inquiry: 0 })
    expect(codes.get('SUCCESS')).toMatchObject({ inconsistent: 0 })
    expect(summary.signatures).toMatchObject({ wrong: 0, unchecked: false })
    expect(summary.signatures.verified).toBe(summary.sent)
  })

  test('a missed objective exits with 1 and is named in the table', async () => {
    acquirer.override = () => ({ delayMs: 20 })
    const { code, out } = await run('--amount', '100', '--p50', '5')
    expect(code).toBe(1)
    expect(out).toMatch(/latency p50 +≤ 5\.0 ms +\d+\.\d ms +MISSED/)
    expect(out).toMatch(/contradictions +≤ 0 +0 +met/)
    expect(out).toContain('OBJECTIVES MISSED')
  })

  test('a stall at a fixed rate counts for every request that was due', async () => {
    acquirer.override = () => (acquirer.received.length === 20 ? { delayMs: 900 } : {})
    const { out } = await run('--rate', '100', '--duration', '2', '--json')
    const { latency } = summaryOf(out)
    expect(latency.measured.p95).toBeLessThan(300)
    expect(latency.corrected.p95).toBeGreaterThan(300)
    expect(latency.corrected.max).toBe(latency.measured.max)
  })

  test('orders that are open or lost are polled until they are final', async () => {
    acquirer.override = (seen, nth) => {
      const stored = acquirer.orders.get(seen.paymentId)
      const order = Number(seen.paymentId.slice(-9))
      if (seen.kind === 'inquire' && stored)
        acquirer.orders.set(seen.paymentId, { ...stored, outcome: 'SUCCESS' })
      if (nth > 0 || seen.kind === 'inquire') return {}
      return order % 10 === 3
        ? { code: 'PAYMENT_IN_PROCESS' }
        : order % 10 === 7
          ? { drop: true }
          : {}
    }
    const { out, code } = await run(
      '--amount',
      '100',
      '--mix',
      'new=1',
      '--json',
      '--lost-share',
      '0.2',
    )
    expect(summaryOf(out).polled).toMatchObject({ orders: 20, S: 20, F: 0, open: 0 })
    expect(code).toBe(0)
  })

  test('an order that stays open misses the objective', async () => {
    acquirer.override = ({ paymentId }) =>
      paymentId.endsWith('5') ? { code: 'PAYMENT_IN_PROCESS' } : {}
    const { out, code } = await run('--amount', '20', '--mix', 'new=1', '--json')
    expect(summaryOf(out).polled.open).toBe(2)
    expect(code).toBe(1)
  })
})

describe('load finds', () => {
  const mix = ['--amount', '200', '--mix', 'new=60,repeat=20,inconsistent=20', '--json']

  test('an acquirer that forgets orders and accepts another amount', async () => {
    acquirer.override = () => ({ forget: true })
    const { code, out } = await run(...mix)
    expect(summaryOf(out).contradictions.length).toBeGreaterThan(10)
    expect(code).toBe(1)
  })

  test('an acquirer that changes a final answer', async () => {
    acquirer.override = (seen, nth) => {
      if (nth > 0) acquirer.orders.delete(seen.paymentId)
      return nth > 0 ? { code: 'PROCESS_FAIL' } : {}
    }
    const { code, out } = await run('--amount', '200', '--mix', 'new=60,repeat=20', '--json')
    expect(summaryOf(out).contradictions[0]).toMatchObject({ answer: 'PROCESS_FAIL' })
    expect(code).toBe(1)
  })

  test('an acquirer that signs wrongly', async () => {
    acquirer.override = ({ paymentId }) => ({ wrongSignature: paymentId.endsWith('4') })
    const { code, out } = await run(...mix)
    expect(summaryOf(out).signatures.wrong).toBeGreaterThan(5)
    expect(code).toBe(1)
  })

  test('unsigned answers and other HTTP statuses, and counts them as lost', async () => {
    acquirer.override = ({ paymentId }) =>
      paymentId.endsWith('1') ? { unsigned: true } : { httpStatus: 500 }
    const { out } = await run('--amount', '40', '--mix', 'new=1', '--json')
    const { codes, statuses } = summaryOf(out)
    expect(statuses.LOST).toBe(40)
    expect(codes.map((count: { code: string }) => count.code)).toEqual([
      'HTTP status 500',
      'the answer is not signed',
    ])
  })

  test('an inquiry that is refused, which is answered all the same', async () => {
    acquirer.override = () => ({ inquiryCode: 'REQUEST_TRAFFIC_EXCEED_LIMIT' })
    const { out } = await run('--amount', '40', '--mix', 'new=1,inquiry=1', '--json')
    const { codes, statuses } = summaryOf(out)
    expect(statuses.LOST).toBe(0)
    expect(codes).toContainEqual(
      expect.objectContaining({
        code: 'the inquiry was answered REQUEST_TRAFFIC_EXCEED_LIMIT',
        status: 'U',
      }),
    )
  })

  test('an unreachable acquirer before it signs any request', async () => {
    const { url } = acquirer
    await acquirer[Symbol.asyncDispose]()
    const { terminal, err } = recorder()
    expect(await command.run(callerArgs(url.href), terminal)).toBe(1)
    expect(err()).toContain('ECONNREFUSED')
    acquirer = await new SmallAcquirer(keys).listen()
  })
})

describe('the report', () => {
  test('is one page with the verdict, both plots and the tables, and no other file', async () => {
    const { out } = await run('--amount', '100', '--p99', '0')
    expect(out).toContain(report())
    const html = await readFile(report(), 'utf8')
    expect(html).toContain('id="verdict">Objectives missed<')
    expect(html.match(/<svg /g)).toHaveLength(2)
    expect(html).toContain('prefers-color-scheme: dark')
    expect(html).toContain('<td>SUCCESS</td>')
    expect(html).not.toMatch(/<script|<link|src=|@import|url\(/)
  })

  test('escapes what comes from outside', async () => {
    const { terminal } = recorder()
    const evil = `${acquirer.url.href}?<img>`
    const args = ['--amount', '5', '--mix', 'new=1', '--time-factor', '0']
    await command.run([...callerArgs(evil), ...args], terminal)
    expect(await readFile(report(), 'utf8')).not.toContain('<img>')
  })
})
