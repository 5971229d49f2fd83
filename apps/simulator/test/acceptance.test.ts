import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Ingress, openSystem, type System, startProcess } from '@placeorder/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { command } from '../src/acceptance/command.ts'
import { recorder } from './recorder.ts'

const root = join(import.meta.dirname, '../../..')
const jsonOf = async (path: string) => JSON.parse(await readFile(path, 'utf8'))

let system: System
let ingress: Ingress
beforeAll(async () => {
  // Shorter than the check takes, so that some orders are open for a while.
  system = await openSystem({ env: { WAIT_MS: '500', CHECKS_MS: '5000' } })
  const module = join(import.meta.dirname, 'pending-check.ts')
  const policy = await jsonOf(join(system.dir, 'policy.json'))
  const checks = [{ name: 'pending', module, after: 'code', timeoutMs: 5_000 }]
  await writeFile(join(system.dir, 'policy.json'), JSON.stringify({ ...policy, checks }))
  const fixtures = await jsonOf(join(root, 'config/acceptance-fixtures.json'))
  const more = {
    pending: { order: { merchant: { merchantName: 'Slow' } } },
    PROCESS_FAIL: { order: { merchant: { merchantName: 'Broken' } } },
  }
  await writeFile(join(system.dir, 'fixtures.json'), JSON.stringify({ ...fixtures, ...more }))
  const importing = startProcess({
    name: 'directory',
    entry: 'apps/operator/src/directory/main.ts',
    args: ['import', 'config/result-codes.ndjson'],
    env: { REDIS_URL: system.redisUrl },
  })
  const [started, , imported] = await Promise.all([
    system.startIngress(),
    system.startWorker(),
    importing.exited,
  ])
  expect(imported).toBe(0)
  ingress = started
})
afterAll(() => system.close())

test('our own acquirer passes every case, with a fixture for every state', async () => {
  const { terminal, out, err } = recorder()
  const file = (name: string) => join(system.dir, name)
  const url = `${ingress.origin}/aps/api/v1/payments/placeOrder`
  const keys = ['--key', file('alipay.pem'), '--server-key', file('acquirer.pub.pem')]
  const code = await command.run(
    ['--url', url, ...keys, '--fixtures', file('fixtures.json'), '--json'],
    terminal,
  )
  const { cases, passed, failed, skipped } = JSON.parse(out())
  const others = cases.filter(({ verdict }: { verdict: string }) => verdict !== 'PASSED')
  expect(others.map(({ name, got }: { name: string; got: string }) => `${name}: ${got}`)).toEqual(
    [],
  )
  expect({ code, failed, skipped, err: err() }).toEqual({ code: 0, failed: 0, skipped: 0, err: '' })
  expect(passed).toBeGreaterThanOrEqual(60)
})
