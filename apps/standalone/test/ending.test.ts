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
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

/** The caller in the sample files of `npm start`. */
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
    const newlyEnded = names.filter((name) => !ended.includes(name) && !isAlive(pids[name] ?? -1))
    ended.push(...newlyEnded)
    await wait(2)
  }
  return ended
}

const pidsOf = ({ ingress, worker, archiver, postgres, redis }: Standalone) => ({
  ingress: ingress.pid,
  worker: worker.pid,
  archiver: archiver?.pid ?? -1,
  postgres: postgres?.pid ?? -1,
  redis: redis?.pid ?? -1,
})

const inOrder = ['ingress', 'worker', 'archiver', 'postgres', 'redis']

type Started = Awaited<ReturnType<StandaloneFolder['startUp']>>

/** Ends `npm start`, and expects that all its processes end in order. */
async function expectToEnd(
  { kill, exited }: Pick<Started, 'kill' | 'exited'>,
  up: Standalone,
  signals: NodeJS.Signals[],
): Promise<void> {
  const ends = endsOf(pidsOf(up))
  for (const signal of signals) kill(signal)
  expect(await exited).toBe(0)
  expect(await ends).toEqual(inOrder)
}

// Starts take most of the time: each test of a block continues where the one before ended.
describe('a start that runs', () => {
  let folder: StandaloneFolder
  let first: Started
  beforeAll(async () => {
    folder = await standaloneFolder()
    first = await folder.startUp()
  })
  afterAll(() => folder.close())

  test('a second start refuses with the pid of the first, which commands find', async () => {
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
  })

  test('a killed Redis is reported and restarted, and data files are private', async () => {
    const { up, waitFor } = first
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

    const files = ['', 'keys', 'redis', 'lock', 'standalone.json', 'keys/acquirer.pem']
    const more = ['keys/alipay-1.pub.pem', 'redis/password.conf', 'redis/appendonlydir']
    const open = await Promise.all(
      [...files, ...more].map(async (name) => [name, (await stat(join(folder.dir, name))).mode]),
    )
    expect(open.filter(([, mode]) => Number(mode) & 0o077)).toEqual([])
  })

  test('Ctrl-C, which npm repeats, ends all processes in order', async () => {
    await expectToEnd(first, await folder.written(), ['SIGINT', 'SIGINT'])
  })

  test('SIGTERM ends the next start in order, with code 0', async () => {
    const next = await folder.startUp()
    await expectToEnd(next, next.up, ['SIGTERM'])
  })
})

describe('a start that is killed', () => {
  let folder: StandaloneFolder
  let next: Started
  beforeAll(async () => {
    folder = await standaloneFolder()
  })
  afterAll(() => folder.close())

  test('ends its children, and the next start waits for them', async () => {
    const first = await folder.startUp()
    const ends = endsOf(pidsOf(first.up))
    first.kill('SIGKILL')
    next = await folder.startUp()
    expect(await ends).toEqual(inOrder)
    expect(next.up.pid).toBe(next.pid)
  })

  test('a closed terminal ends the next start in order, with code 0', async () => {
    await expectToEnd(next, next.up, ['SIGHUP'])
  })
})
