import { connect, disconnect, openOperatorStore, orderIdOf, shardOf } from '@placeorder/store'
import { aPlaceOrder, testRedis } from '@placeorder/testkit'
import { afterAll, expect, onTestFinished, test, vi } from 'vitest'
import { stepNames } from '../src/archive/reshard/steps.ts'
import { openReshardSystem } from './reshard-system.ts'

vi.setConfig({ testTimeout: 300_000, hookTimeout: 120_000 })

const redis = await testRedis({ own: true })
afterAll(() => redis.close())
const { system, address, placed, start, serve, change, expectRecentOrdersKept } =
  await openReshardSystem({ REDIS_URL: redis.url }, 1)
const connection = connect(address, 'patient')
afterAll(() => disconnect(connection))

test('after a death between any two steps, every order still gets its first answer', async () => {
  await serve(1)
  let shards = 1
  for (const [i, until] of stepNames.entries()) {
    const to = [3, 2, 1, 4][i % 4] ?? 1
    await expect(change(to, { until })).rejects.toThrow(`died after ${until}`)
    await expect(openOperatorStore({ address, shards, onFault: () => {} })).rejects.toThrow(
      `end that with npm run archive -- reshard ${to}`,
    )
    expect(await change(to)).toMatchObject({ exit: 0, err: '' })
    shards = to
    const left = await connection.keys(`{s[${[...'0123456789'].slice(to).join('')}]}:*`)
    expect(left).toEqual([])
    await serve(to)
  }
  expectRecentOrdersKept()
})

test('the command is killed wherever it is, again and again, and ends what it began', async () => {
  await change(1)
  for (const name of ['copy', 'fill', 'swap']) {
    const killed = start('reshard', '3')
    await Promise.race([killed.waitFor(new RegExp(`^${name} `)), killed.exited]).catch(() => {})
    killed.kill('SIGKILL')
    await killed.exited
  }
  const ended = start('reshard', '3')
  expect(await ended.exited).toBe(0)
  expect(ended.lines.at(-1)).toMatch(/there (are|must be) 3 shards|there are 3 shards/)
  await serve(3)
})

test('whoever is connected is named, and nothing is done', async () => {
  await change(1)
  const worker = await system.startWorker({ SHARDS: '1' })
  const { exit, err } = await change(2)
  expect(exit).toBe(1)
  expect(err).toContain(
    `nothing was done: end what is connected to this Redis: worker ${worker.pid}`,
  )
  worker.kill('SIGTERM')
  await worker.exited
})

test('open orders are counted, and events that wait for a sink are its name', async () => {
  await change(1)
  const ingress = await system.startIngress({ SHARDS: '1', WAIT_MS: '3000' })
  onTestFinished(() => void ingress.kill('SIGTERM'))
  const order = aPlaceOrder()
  expect((await ingress.place(order)).code).toBe('PAYMENT_IN_PROCESS')
  ingress.kill('SIGTERM')
  await ingress.exited
  const operator = await openOperatorStore({ address, shards: 1, onFault: () => {} })
  await operator.streams.open(0, 'ledger')
  await operator.streams.replay(0, 'ledger', [orderIdOf(order)])
  await operator.close()
  const before = await connection.get('placeorder:shards')
  const { exit, err } = await change(2)
  expect(exit).toBe(1)
  expect(err).toContain('open orders: 1: run workers without ingresses')
  expect(err).toContain(
    'events of the sink ledger are not delivered (none in the outbox, 1 replays',
  )
  expect(await connection.get('placeorder:shards')).toBe(before)
  const worker = await system.startWorker({ SHARDS: '1' })
  await vi.waitFor(async () => expect(await connection.zcard('{s0}:open')).toBe(0), 20_000)
  worker.kill('SIGTERM')
  await worker.exited
  const again = await openOperatorStore({ address, shards: 1, onFault: () => {} })
  await again.streams.remove(0, 'ledger')
  await again.close()
  expect((await change(2)).exit).toBe(0)
})

test('sinks read the outboxes of all shards afterwards, from where they were', async () => {
  await change(1)
  const operator = await openOperatorStore({ address, shards: 1, onFault: () => {} })
  await operator.streams.open(0, 'ledger')
  await operator.close()
  expect((await change(3)).exit).toBe(0)
  expect((await change(2)).exit).toBe(0)
  const after = await openOperatorStore({ address, shards: 2, onFault: () => {} })
  for (const shard of [0, 1]) {
    expect(await after.streams.list(shard)).toEqual(['ledger'])
    expect(await after.streams.progress(shard, 'ledger')).toMatchObject({ oldest: undefined })
    expect(await after.outbox.progress(shard)).toMatchObject({ oldest: undefined })
  }
  await after.close()
  await serve(2)
  const later = await openOperatorStore({ address, shards: 2, onFault: () => {} })
  const waiting = await Promise.all(
    [0, 1].map((shard) => later.streams.group(shard, 'ledger', 'outbox').read('test', 100)),
  )
  const last = placed.slice(-1).map(({ order }) => orderIdOf(order))
  expect(
    waiting
      .flat()
      .flatMap(({ orderIds }) => orderIds)
      .sort(),
  ).toEqual([...last].sort())
  for (const shard of [0, 1])
    for (const { orderIds } of waiting[shard] ?? [])
      for (const orderId of orderIds) expect(shardOf(orderId, 2)).toBe(shard)
  for (const shard of [0, 1]) await later.streams.remove(shard, 'ledger')
  await later.close()
})

test('a dry run says what would be done, and what is in the way, and does nothing', async () => {
  await change(1)
  // Without those that expire by themselves, such as BullMQ's of a worker that was killed.
  const kept = async () => {
    const keys = await connection.keys('*')
    const left = await Promise.all(keys.map((key) => connection.pttl(key)))
    return keys.filter((_, i) => left[i] === -1).sort()
  }
  const before = await kept()
  const { exit, out, err } = await change(4, { isDryRun: true })
  expect({ exit, err }).toEqual({ exit: 0, err: '' })
  expect(out).toMatch(/^from 1 to 4 shards, with \d+ orders in Redis, \d+ forgotten before, /)
  for (const name of stepNames) expect(out).toContain(`\n  ${name} `)
  expect(await kept()).toEqual(before)
})

test('a change is given up by the number before, until something was moved', async () => {
  await change(1)
  await expect(change(2, { until: 'fill' })).rejects.toThrow('died after fill')
  expect(await change(3)).toMatchObject({
    exit: 1,
    err: expect.stringContaining('from 1 to 2 shards was begun'),
  })
  expect(await change(1)).toMatchObject({
    exit: 0,
    out: 'the change is given up: there are 1 shards\n',
  })
  await serve(1)
  await expect(change(2, { until: 'move' })).rejects.toThrow('died after move')
  await expect(change(2, { until: 'swap' })).rejects.toThrow('died after swap')
  expect((await change(1)).exit).toBe(1)
  expect((await change(2)).exit).toBe(0)
})

test.each(['0', '-1', 'two', '1025', '1.5'])('%s is not a number of shards', async (to) => {
  expect((await change(to)).exit).toBe(2)
})
