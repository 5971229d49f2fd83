import { createPrivateKey, createPublicKey, randomUUID } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { isAlive, type Standalone } from '@placeorder/config'
import {
  aPlaceOrder,
  type Caller,
  type StandaloneFolder,
  signedCall,
  standaloneFolder,
  startProcess,
} from '@placeorder/testkit'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

let folder: StandaloneFolder
beforeEach(async () => {
  folder = await standaloneFolder()
})
afterEach(() => folder.close())

/** The caller that the sample files of `npm start` know. */
async function callerOf(dir: string): Promise<Caller> {
  const [key, serverKey] = await Promise.all(
    ['alipay-1.pem', 'acquirer.pub.pem'].map((name) => readFile(join(dir, 'keys', name))),
  )
  return {
    clientId: 'SANDBOX_5Y00000000000001',
    key: createPrivateKey(key ?? ''),
    serverKey: createPublicKey(serverKey ?? ''),
  }
}

/** Resolves with the names of processes in the order in which they end. */
async function endsOf(pids: Record<string, number>): Promise<string[]> {
  const ended: string[] = []
  const names = Object.keys(pids)
  while (ended.length < names.length) {
    const gone = names.filter((name) => !ended.includes(name) && !isAlive(pids[name] ?? -1))
    ended.push(...gone)
    await wait(2)
  }
  return ended
}

const pidsOf = ({ ingress, worker, redis }: Standalone) => ({
  ingress: ingress.pid,
  worker: worker.pid,
  redis: redis?.pid ?? -1,
})

const inOrder = ['ingress', 'worker', 'redis']

test.each<[string, NodeJS.Signals[]]>([
  ['Ctrl-C, which npm passes on once more', ['SIGINT', 'SIGINT']],
  ['a closed terminal', ['SIGHUP']],
])('%s ends ingress, worker and Redis in this order, with code 0', async (_what, signals) => {
  const { up, kill, exited } = await folder.startUp()
  const ends = endsOf(pidsOf(up))
  for (const signal of signals) kill(signal)
  expect(await exited).toBe(0)
  expect(await ends).toEqual(inOrder)
})

test('a killed npm start takes its children with it, and the next waits for them', async () => {
  const first = await folder.startUp()
  const ends = endsOf(pidsOf(first.up))
  first.kill('SIGKILL')
  const second = await folder.startUp()
  expect(await ends).toEqual(inOrder)
  expect(second.up.pid).toBe(second.pid)
})

test('a second start refuses with the pid of the first, which commands find', async () => {
  const first = await folder.startUp()
  const second = folder.start({ args: ['--once'], env: { PORT: '0' } })
  expect(await second.exited).toBe(1)
  expect(second.lines.join('\n')).toContain(`npm start with pid ${first.pid} is running`)
  expect(second.lines.join('\n')).toContain(first.up.placeOrder)
  expect(isAlive(first.up.redis?.pid ?? -1)).toBe(true)

  const orders = startProcess({
    name: 'orders',
    entry: 'apps/operator/src/orders/main.ts',
    args: ['open'],
    env: { DATA_DIR: folder.dir },
  })
  expect(await orders.exited).toBe(0)
  expect(orders.lines).toContain(`using the Redis of npm start (pid ${first.pid})`)
  first.kill('SIGTERM')
  expect(await first.exited).toBe(0)
})

test('a Redis that dies is named and started again; what is kept is its owner’s alone', async () => {
  const { up, waitFor } = await folder.startUp()
  process.kill(up.redis?.pid ?? -1, 'SIGKILL')
  await waitFor(/Redis ended by itself \(SIGKILL/)
  await waitFor(/Redis is up again/)
  const again = await folder.written()
  expect(again.redis?.port).toBe(up.redis?.port)
  expect(again.redis?.pid).not.toBe(up.redis?.pid)
  const caller = await callerOf(folder.dir)
  const code = async () =>
    (await signedCall(up.placeOrder, aPlaceOrder({ customerId: randomUUID() }), caller)).code
  await expect.poll(code, { timeout: 30_000 }).toBe('SUCCESS')

  const kept = ['', 'keys', 'redis', 'lock', 'standalone.json', 'keys/acquirer.pem']
  const more = ['keys/alipay-1.pub.pem', 'redis/password.conf', 'redis/appendonlydir']
  const open = await Promise.all(
    [...kept, ...more].map(async (name) => [name, (await stat(join(folder.dir, name))).mode]),
  )
  expect(open.filter(([, mode]) => Number(mode) & 0o077)).toEqual([])
})
