import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { isResultCode, type ResultCode, resultCodes, statusOf } from '@placeorder/protocol'
import { openSystem, type System, startProcess } from '@placeorder/testkit'
import { afterAll, expect, test } from 'vitest'
import { command as place } from '../src/place/command.ts'
import { recorder } from './recorder.ts'

// Runs the commands of docs/result-codes.md, as they are written there, against real processes.

const run = promisify(execFile)
const root = join(import.meta.dirname, '../../..')
const doc = await readFile(join(root, 'docs/result-codes.md'), 'utf8')
const [, table = '', seen = '', undecided = ''] =
  /^([\s\S]*)\n## See them\n([\s\S]*)\n## See those[^\n]*\n([\s\S]*)$/.exec(doc) ?? []

/** Blocks of commands that provoke codes; the other blocks start processes, as the tests do. */
const blocksIn = (text: string): string[][] =>
  [...text.matchAll(/```sh\n([\s\S]*?)```/g)]
    .map(([, block = '']) => block.trim().split('\n'))
    .filter(([first = '']) => /^(npm run simulator|curl) /.test(first))

const [commands = []] = blocksIn(seen)
const [withoutWorker = [], withUndecidingWorker = []] = blocksIn(undecided)

const systems: System[] = []
afterAll(() => Promise.all(systems.map((system) => system.close())))

async function aSystem(): Promise<System> {
  const system = await openSystem()
  systems.push(system)
  return system
}

/** Splits a command line at spaces outside of quotes. */
const argumentsOf = (line: string): string[] =>
  [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, word]) => quoted ?? word ?? '')

/** Runs commands of the page with the keys and ports of a system, and returns their codes. */
async function provokeAll(lines: string[], origin: string, system: System): Promise<ResultCode[]> {
  const codes: ResultCode[] = []
  for (const line of lines) {
    const code = await provoke(line, origin, system)
    if (!isResultCode(code)) throw new Error(`${code} is not a result code: ${line}`)
    codes.push(code)
  }
  return codes
}

async function provoke(line: string, origin: string, { dir }: System): Promise<string> {
  const here = line
    .replace('http://127.0.0.1:3000', origin)
    .replace('.data/keys/acquirer.pem', join(dir, 'acquirer.pem'))
  if (line.startsWith('curl')) return provokeByCurl(here)
  const { terminal, out, err } = recorder()
  const args = argumentsOf(here).slice(argumentsOf('npm run simulator -- place').length)
  const { values } = parseArgs({
    args,
    options: { expect: { type: 'string', default: 'SUCCESS' } },
    strict: false,
  })
  const caller = [
    '--url',
    `${origin}/aps/api/v1/payments/placeOrder`,
    '--key',
    join(dir, 'alipay.pem'),
  ]
  const exit = await place.run(
    [...caller, '--server-key', join(dir, 'acquirer.pub.pem'), ...args],
    terminal,
  )
  expect(exit, `${line}\n${out()}${err()}`).toBe(0)
  return String(values.expect)
}

async function provokeByCurl(line: string): Promise<string> {
  const [command = '', code = ''] = line.split(/ +# /)
  const { stdout } = await run('curl', ['-sS', ...argumentsOf(command).slice(1)])
  expect(stdout).toMatch(/^HTTP\/1.1 200 /)
  expect(stdout).toMatch(/^signature: algorithm=RSA256, /im)
  expect(stdout).toContain(`"resultCode":"${code}"`)
  return code
}

test('the table has every code once, with its status', () => {
  const rows = [...table.matchAll(/^\| (\d+) \| `([A-Z_]+)` \| ([SFU]) \|/gm)].map(
    ([, at, code, status]) => ({ at, code, status }),
  )
  expect(rows.map(({ at }) => Number(at))).toEqual(resultCodes.map((_, i) => i + 1))
  expect(new Set(rows.map(({ code }) => code))).toEqual(new Set(resultCodes))
  for (const { code = '', status } of rows)
    expect(isResultCode(code) && statusOf[code]).toBe(status)
})

/** Orders that ingress and worker decide. */
async function provokeDecided(): Promise<ResultCode[]> {
  const system = await aSystem()
  const [ingress] = await Promise.all([system.startIngress(), system.startWorker()])
  const importing = startProcess({
    name: 'directory',
    entry: 'apps/operator/src/directory/main.ts',
    args: ['import', 'config/result-codes.ndjson'],
    env: { REDIS_URL: system.redisUrl },
  })
  expect(await importing.exited).toBe(0)
  return provokeAll(commands, ingress.origin, system)
}

/** Orders without a worker, and then with one that cannot decide them. */
async function provokeUndecided(): Promise<ResultCode[]> {
  const system = await aSystem()
  const narrow = await system.startIngress({ OPEN_ORDERS_MAX: '1' })
  const open = await provokeAll(withoutWorker, narrow.origin, system)
  const [ingress] = await Promise.all([
    system.startIngress(),
    system.startWorker({
      POLICY_FILE: join(root, 'docs/examples/undecidable-policy.json'),
      DECIDE_WITHIN_MS: '3000',
    }),
  ])
  return [...open, ...(await provokeAll(withUndecidingWorker, ingress.origin, system))]
}

test('the commands of the page provoke every code, signed, from real processes', {
  timeout: 90_000,
}, async () => {
  const provoked = new Set((await Promise.all([provokeDecided(), provokeUndecided()])).flat())
  expect(resultCodes.filter((code) => !provoked.has(code))).toEqual([])
})
