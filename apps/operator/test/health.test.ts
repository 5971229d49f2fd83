import { connect, disconnect } from '@placeorder/store'
import { aPlaceOrder, FaultProxy, openSystem } from '@placeorder/testkit'
import { afterAll, afterEach, describe, expect, test } from 'vitest'

const system = await openSystem({ env: { DRAIN_MS: '3000' } })
const address = { urls: [system.redisUrl], cluster: false, sentinels: [], sentinelName: '' }
const redis = connect(address, 'patient')
const proxy = await FaultProxy.open({ port: Number(new URL(system.redisUrl).port) })
const behindProxy = { REDIS_URL: `redis://127.0.0.1:${proxy.port}` }
const [ingress, worker] = await Promise.all([
  system.startIngress(behindProxy),
  system.startWorker(behindProxy),
])
const both = [
  ['an ingress', ingress],
  ['a worker', worker],
] as const

afterEach(async () => {
  await proxy.heal()
  for (const [name, value] of durable) await redis.config('SET', name, value)
})
afterAll(async () => {
  await disconnect(redis)
  await system.close()
  await proxy.close()
})

/** The settings of Redis as long as a test does not change them. */
const durable = [
  ['appendonly', 'yes'],
  ['appendfsync', 'always'],
  ['maxmemory-policy', 'noeviction'],
] as const

const ending = { status: 503, body: { status: 'not ready', reasons: { process: 'it is ending' } } }

const health = async (admin: string, path: '/livez' | '/readyz') => {
  const answered = await fetch(`${admin}${path}`)
  return { status: answered.status, body: await answered.json() }
}

describe.each(both)('%s', (_name, { admin }) => {
  test('is live and ready, and says so', async () => {
    expect(await health(admin, '/livez')).toEqual({ status: 200, body: { status: 'live' } })
    expect(await health(admin, '/readyz')).toEqual({
      status: 200,
      body: { status: 'ready', reasons: {} },
    })
  })

  test.each([
    ['appendonly', 'no', 'the append-only file is off'],
    ['appendfsync', 'everysec', 'set appendfsync always, not everysec'],
    ['maxmemory-policy', 'allkeys-lru', 'set maxmemory-policy noeviction, not allkeys-lru'],
  ])('is not ready while Redis has %s %s, and says what to set', async (name, value, reason) => {
    await redis.config('SET', name, value)
    const redisReason = expect.stringContaining(reason)
    expect(await health(admin, '/readyz')).toEqual({
      status: 503,
      body: { status: 'not ready', reasons: { redis: redisReason } },
    })
  })

  test('is live but not ready while Redis does not answer', async () => {
    proxy.stall()
    // Either the check or the connection times out first. Other checks of Redis fail, too.
    const reasons = expect.objectContaining({
      redis: expect.stringMatching(/^no answer within 1000 ms$|^Redis cannot be asked: /),
    })
    expect(await health(admin, '/readyz')).toEqual({
      status: 503,
      body: { status: 'not ready', reasons },
    })
    expect((await health(admin, '/livez')).status).toBe(200)
    await proxy.heal()
    await expect
      .poll(async () => (await health(admin, '/readyz')).status, { timeout: 10_000 })
      .toBe(200)
  })
})

test('relaxed, a process is ready on a Redis that is not durable', async () => {
  await redis.config('SET', 'appendfsync', 'everysec')
  const relaxed = await system.startWorker({ DURABILITY: 'relaxed' })
  expect((await health(relaxed.admin, '/readyz')).status).toBe(200)
  relaxed.kill('SIGTERM')
  expect(await relaxed.exited).toBe(0)
  await redis.config('SET', 'appendfsync', 'always')
})

test('an ingress that drains is not ready, and still accepts orders', async () => {
  const placed = async () => (await ingress.place(aPlaceOrder())).code
  // It knows again that Redis is durable.
  await expect.poll(placed, { timeout: 10_000 }).toBe('SUCCESS')
  ingress.kill('SIGTERM')
  await expect
    .poll(() => health(ingress.admin, '/readyz'), { timeout: 10_000, interval: 20 })
    .toEqual(ending)
  expect(await placed()).toBe('SUCCESS')
  expect(await ingress.exited).toBe(0)
})

test('a worker that drains is not ready, finishes and exits', async () => {
  proxy.stall() // It cannot end before Redis answers, or its wait is over.
  worker.kill('SIGTERM')
  await expect
    .poll(() => health(worker.admin, '/readyz'), { timeout: 10_000, interval: 20 })
    .toEqual(ending)
  await proxy.heal()
  expect(await worker.exited).toBe(0)
})
