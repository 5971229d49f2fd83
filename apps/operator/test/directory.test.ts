import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { aPlaceOrder, openSystem, type System } from '@placeorder/testkit'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { z } from 'zod'

const root = join(import.meta.dirname, '../../..')
const Manifest = z.object({ scripts: z.object({ directory: z.string(), orders: z.string() }) })

vi.setConfig({ testTimeout: 90_000 })

let system: System
beforeAll(async () => {
  system = await openSystem()
})
afterAll(() => system.close())

const directory = (args: string[], env?: Record<string, string>) => command('directory', args, env)

/** Runs `npm run <name> -- …` without npm's own second. The last line has its peak memory (KB). */
async function command(
  name: 'directory' | 'orders',
  args: string[],
  env: Record<string, string> = {},
) {
  const { scripts } = Manifest.parse(JSON.parse(await readFile(join(root, 'package.json'), 'utf8')))
  const [, ...script] = scripts[name].split(' ')
  const peak =
    'data:text/javascript,process.on("exit",()=>console.error(process.resourceUsage().maxRSS))'
  return new Promise<{ exit: number; out: string; err: string }>((resolve) => {
    const child = execFile(
      process.execPath,
      ['--import', peak, ...script, ...args],
      { cwd: root, env: { PATH: process.env.PATH, REDIS_URL: system.redisUrl, ...env } },
      (_error, out, err) => resolve({ exit: child.exitCode ?? -1, out, err }),
    )
  })
}

test('a running worker applies an import or a removal within 2 s', {
  retry: 2, // Other work on the machine only adds to the time.
}, async () => {
  await directory(['import', 'config/directory.json'])
  const [ingress] = await Promise.all([system.startIngress(), system.startWorker()])
  expect(await ingress.place(aPlaceOrder())).toMatchObject({ code: 'SUCCESS' })
  const before = await directory(['show', 'merchant', 'M00000000001'])
  const path = join(system.dir, 'change.ndjson')
  await writeFile(path, JSON.stringify({ ...JSON.parse(before.out), status: 'SUSPENDED' }))
  expect(await directory(['import', path])).toMatchObject({ exit: 0 })
  const changed = performance.now()
  expect(await ingress.place(aPlaceOrder())).toMatchObject({ code: 'INVALID_MERCHANT_STATUS' })
  expect(performance.now() - changed).toBeLessThan(2_000)
  expect(await directory(['remove', 'merchant', 'M00000000001'])).toMatchObject({ exit: 0 })
  const removed = performance.now()
  expect(await ingress.place(aPlaceOrder())).toMatchObject({ code: 'MERCHANT_NOT_REGISTERED' })
  expect(performance.now() - removed).toBeLessThan(2_000)
})

test('an order code shows its payment, and stays closed if imported again', async () => {
  const ingress = await system.startIngress()
  await directory(['import', 'config/directory.json'])
  const codeValue = 'https://pay.example/281004040001'
  const order = aPlaceOrder({ codeValue })
  expect(await ingress.place(order)).toMatchObject({ code: 'SUCCESS' })
  expect(await directory(['show', 'code', codeValue])).toMatchObject({
    exit: 0,
    err: expect.stringContaining(`placed with payment ${order.paymentId}`),
  })
  await directory(['import', 'config/directory.json'])
  expect(await ingress.place(aPlaceOrder({ codeValue }))).toMatchObject({ code: 'ORDER_IS_CLOSED' })
})

test('a released order code can be placed once more; its first order stays placed', async () => {
  const ingress = await system.startIngress()
  await directory(['import', 'config/directory.json'])
  const codeValue = 'https://pay.example/281004040001'
  const next = async () => (await ingress.place(aPlaceOrder({ codeValue }))).code
  const first = aPlaceOrder({ codeValue })
  const release = () =>
    command('orders', ['release-code', codeValue, '--reason', 'failed', '--yes'])
  await release() // An earlier test may have placed it.
  const answer = await ingress.place(first)
  expect([answer.code, await next()]).toEqual(['SUCCESS', 'ORDER_IS_CLOSED'])
  const released = await release()
  expect(released).toMatchObject({ exit: 0, out: expect.stringContaining(first.paymentId) })
  expect([await next(), await next()]).toEqual(['SUCCESS', 'ORDER_IS_CLOSED'])
  expect((await ingress.place(first)).body).toEqual(answer.body)
})

test('another number of shards than Redis was first used with is refused', async () => {
  expect(await directory(['show', 'merchant', 'M1'], { SHARDS: '2' })).toMatchObject({
    exit: 2,
    err: expect.stringContaining('set SHARDS=1'),
  })
  expect(
    await directory(['show', 'merchant', 'M1'], { REDIS_URL: 'http://nowhere' }),
  ).toMatchObject({
    exit: 2,
    err: expect.stringContaining('REDIS_URL'),
  })
})

test.each(['ndjson', 'json'])('a large %s file is imported in bounded memory', async (format) => {
  const path = join(system.dir, `large.${format}`)
  const file = createWriteStream(path)
  const records = 150_000
  if (format === 'json') file.write('{"codes":[')
  for (let i = 0; i < records; i += 1) {
    const value = `28100413282${String(i).padStart(11, '0')}`
    const code = {
      codeValue: value,
      type: 'ENTRY_CODE',
      merchantId: 'M00000000001',
      storeId: 'S00000000001',
      status: 'OPEN',
    }
    const comma = format === 'json' && i > 0 ? ',' : ''
    if (!file.write(`${comma}${JSON.stringify(code)}\n`)) await once(file, 'drain')
  }
  file.end(format === 'json' ? ']}' : '')
  await once(file, 'finish')
  const { exit, out, err } = await directory(['import', path])
  expect(exit).toBe(0)
  expect(out).toContain('and 150,000 codes')
  const peakKilobytes = Number(err.trim().split('\n').at(-1))
  expect(peakKilobytes).toBeGreaterThan(10_000)
  expect(peakKilobytes).toBeLessThan(300_000)
})
