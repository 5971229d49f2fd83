import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { Writable } from 'node:stream'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { buildAdmin } from './admin.ts'
import { readBacklog } from './backlog.ts'
import { type DurabilitySource, durabilityCheck } from './durability-check.ts'
import { openLog } from './log.ts'
import { reportFaults } from './log-throttle.ts'
import { openMetrics, stageNames } from './metrics.ts'
import { noTracing, openTracing } from './traces.ts'

afterEach(() => void vi.useRealTimers())

/** A destination for a log, and the lines that were written to it. */
function collector() {
  const lines: string[] = []
  const destination = new Writable({
    write: (chunk, _encoding, done) => {
      lines.push(String(chunk))
      done()
    },
  })
  return { lines, destination }
}

test('the log shows nothing personal or secret, however deep', () => {
  const { lines, destination } = collector()
  const log = openLog({ name: 'test', level: 'info', destination })
  const secret = {
    codeValue: 'S3CRET',
    customerId: 'S3CRET',
    userAgent: 'S3CRET',
    signature: 'S3CRET',
    key: 'S3CRET',
  }
  log.info(
    { ...secret, order: secret, at: { order: { env: secret } }, paymentId: 'P-1' },
    'concluded',
  )
  log
    .child({ ...secret, paymentId: 'P-2' })
    .info({ record: { order: secret }, all: [secret] }, 'again')
  expect(lines.join('')).not.toContain('S3CRET')
  expect(lines.map((line) => JSON.parse(line).paymentId)).toEqual(['P-1', 'P-2'])
})

test('a repeated fault is logged once in ten seconds, with how many more there were', () => {
  vi.useFakeTimers()
  const lines: object[] = []
  const report = reportFaults({ warn: (fields: object) => void lines.push(fields) })
  const [refused, reset] = [new Error('refused'), new Error('reset')]
  for (let times = 0; times < 40; times += 1) report(refused, 'Redis is away')
  report(reset, 'Redis is away')
  vi.advanceTimersByTime(10_000)
  report(refused, 'Redis is away')
  expect(lines).toEqual([
    { err: refused, more: 0 },
    { err: reset, more: 0 },
    { err: refused, more: 39 },
  ])
})

test('each stage is counted by its name, and processes share no metrics', async () => {
  const [one, two] = [openMetrics('ingress'), openMetrics('ingress')]
  for (const stage of stageNames) one.stage(stage, 0.003)
  one.answers.inc({ endpoint: 'place', code: 'SUCCESS', status: 'S' })
  const text = await one.registry.metrics()
  for (const stage of stageNames)
    expect(text).toContain(`placeorder_stage_seconds_count{stage="${stage}"} 1`)
  expect(text).toContain('placeorder_answers_total{endpoint="place",code="SUCCESS",status="S"} 1')
  expect(text).toContain('nodejs_eventloop_lag_p99_seconds')
  expect(await two.registry.metrics()).not.toContain('stage="sign"} 1')
})

test('a process is ready while every check passes and it is not draining', async () => {
  let reason: string | undefined = 'the append-only file is off'
  const admin = buildAdmin({
    host: '127.0.0.1',
    port: 0,
    metrics: openMetrics('ingress'),
    checks: { redis: async () => reason, hangs: async () => undefined },
  })
  const ready = () => admin.app.inject('/readyz')
  expect((await ready()).statusCode).toBe(503)
  expect((await ready()).json()).toEqual({
    status: 'not ready',
    reasons: { redis: 'the append-only file is off' },
  })
  reason = undefined
  expect((await ready()).statusCode).toBe(200)
  admin.drain()
  expect((await ready()).json()).toMatchObject({
    status: 'not ready',
    reasons: { process: 'it is ending' },
  })
  expect((await admin.app.inject('/livez')).statusCode).toBe(200)
  expect((await admin.app.inject('/metrics')).payload).toContain('placeorder_answers_total')
  await admin.close()
})

test('a check that fails or hangs makes the process not ready within a second', async () => {
  const checks = {
    fails: () => Promise.reject(new Error('Redis is away')),
    hangs: () => new Promise<never>(() => {}),
  }
  const admin = buildAdmin({ host: '127.0.0.1', port: 0, metrics: openMetrics('worker'), checks })
  const { reasons } = (await admin.app.inject('/readyz')).json()
  expect(reasons).toEqual({ fails: 'Redis is away', hangs: expect.stringContaining('no answer') })
  await admin.close()
})

test('a process says which part of its configuration has a faulty new version', async () => {
  const clients: { fault: string | undefined } = { fault: 'no JSON' }
  const admin = buildAdmin({
    host: '127.0.0.1',
    port: 0,
    metrics: openMetrics('ingress'),
    checks: {},
    configuration: [clients, { fault: undefined }],
  })
  const counted = async () =>
    /^placeorder_configuration_faults (.+)$/m.exec(
      (await admin.app.inject('/metrics')).payload,
    )?.[1]
  const ready = await admin.app.inject('/readyz')
  expect([ready.statusCode, ready.json().notes]).toEqual([200, { configuration: 'no JSON' }])
  expect(await counted()).toBe('1')
  clients.fault = undefined
  expect((await admin.app.inject('/readyz')).json()).toEqual({ status: 'ready', reasons: {} })
  expect(await counted()).toBe('0')
  await admin.close()
})

test('a probe that waits for a check is answered as soon as the process drains', async () => {
  const asked = Promise.withResolvers<void>()
  const hangs = () => {
    asked.resolve()
    return new Promise<never>(() => {})
  }
  const admin = buildAdmin({
    host: '127.0.0.1',
    port: 0,
    metrics: openMetrics('worker'),
    checks: { hangs },
  })
  const answered = admin.app.inject('/readyz')
  await asked.promise
  admin.drain()
  expect((await answered).json()).toEqual({
    status: 'not ready',
    reasons: { process: 'it is ending' },
  })
  await admin.close()
})

test('what a ready process cannot do is noted', async () => {
  const admin = buildAdmin({
    host: '127.0.0.1',
    port: 0,
    metrics: openMetrics('ingress'),
    checks: { redis: async () => undefined },
    notes: { archive: async () => 'the archive is away', other: async () => undefined },
  })
  const answered = await admin.app.inject('/readyz')
  expect(answered.statusCode).toBe(200)
  expect(answered.json()).toEqual({
    status: 'ready',
    reasons: {},
    notes: { archive: 'the archive is away' },
  })
  await admin.close()
})

test('a connection of the admin port that sends nothing is closed in time', async () => {
  const admin = buildAdmin({
    host: '127.0.0.1',
    port: 0,
    metrics: openMetrics('worker'),
    checks: {},
  })
  const { port } = new URL(await admin.listen())
  const startedAt = performance.now()
  const socket = connect(Number(port), '127.0.0.1').resume()
  await once(socket, 'close')
  expect(performance.now() - startedAt).toBeLessThan(20_000)
  await admin.close()
})

test('without a receiver a span has no trace', () => {
  expect(noTracing.startSpan('place order').traceparent).toBeUndefined()
})

test('a receiver gets one trace of spans in two processes', async () => {
  const received: { name: string; traceId: string; parentSpanId?: string; spanId: string }[] = []
  const receiver = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { resourceSpans } = JSON.parse(Buffer.concat(chunks).toString())
      for (const resource of resourceSpans)
        for (const scope of resource.scopeSpans) received.push(...scope.spans)
      response.setHeader('content-type', 'application/json').end('{}')
    })
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => receiver.once('listening', resolve))
  const endpoint = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`
  const [ingress, worker] = await Promise.all([
    openTracing('ingress', endpoint),
    openTracing('worker', endpoint),
  ])
  const placed = ingress.startSpan('place order', { attributes: { paymentId: 'P-1' } })
  worker
    .startSpan('decide', { parent: placed.traceparent })
    .end({ attributes: { outcome: 'SUCCESS' } })
  placed.end()
  await Promise.all([ingress.close(), worker.close()])
  const [place, decide] = ['place order', 'decide'].map((name) =>
    received.find((span) => span.name === name),
  )
  expect(decide?.traceId).toBe(place?.traceId)
  expect(decide?.parentSpanId).toBe(place?.spanId)
  await new Promise((resolve) => receiver.close(resolve))
})

test('the configured share of new traces is sent, each of them completely', async () => {
  const all = await openTracing('ingress', 'http://127.0.0.1:9', 1)
  const none = await openTracing('ingress', 'http://127.0.0.1:9', 0)
  const root = all.startSpan('place order')
  expect(root.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
  expect(none.startSpan('place order').traceparent).toBeUndefined()
  expect(none.startSpan('decide', { parent: root.traceparent }).traceparent).toContain(
    root.traceparent?.slice(3, 35),
  )
  await Promise.all([all.close(), none.close()])
})

describe('the durability of Redis', () => {
  const metrics = openMetrics('worker')
  const shown = async (name: string) => {
    const line = (await metrics.registry.metrics())
      .split('\n')
      .find((text) => text.startsWith(`${name} `))
    return Number(line?.split(' ')[1])
  }
  const { lines: warned, destination } = collector()
  const log = openLog({ name: 'test', level: 'warn', destination })
  const off = 'the append-only file is off'
  const fine = {
    faults: [],
    unseen: [],
    assumed: [],
    unable: [],
    warnings: [],
    memoryUsed: undefined,
  }
  const checkOf = (
    mode: 'strict' | 'relaxed',
    report: () => Promise<Partial<Awaited<ReturnType<DurabilitySource['report']>>>>,
  ) =>
    durabilityCheck({ report: async () => ({ ...fine, ...(await report()) }) }, mode, metrics, log)

  test.each([
    ['strict', [], 1, undefined],
    ['strict', [off], 0, off],
    ['relaxed', [off], 0, undefined],
  ] as const)(
    '%s, with the faults %j: durable %i, not ready for %s',
    async (mode, faults, durable, reason) => {
      expect(await checkOf(mode, async () => ({ faults: [...faults] }))()).toBe(reason)
      expect(await shown('placeorder_redis_durable')).toBe(durable)
    },
  )

  test.each([
    ['strict', { unable: ['it is full'] }, 0, 'it is full'],
    ['relaxed', { unable: ['it is full'] }, 0, 'it is full'],
    ['strict', { unseen: ['allow +info'] }, 1, 'allow +info'],
    ['relaxed', { unseen: ['allow +info'] }, 1, undefined],
    ['strict', { assumed: ['all is well'], warnings: ['few replicas'] }, 1, undefined],
  ] as const)('%s, with %j: durable %i, not ready for %s', async (mode, known, durable, reason) => {
    const texts = Object.fromEntries(Object.entries(known).map(([name, all]) => [name, [...all]]))
    expect(await checkOf(mode, async () => texts)()).toBe(reason)
    expect(await shown('placeorder_redis_durable')).toBe(durable)
  })

  test('the used share of its memory is a metric', async () => {
    await checkOf('strict', async () => ({ memoryUsed: 0.75 }))()
    expect(await shown('placeorder_redis_memory_used_ratio')).toBe(0.75)
  })

  test('a Redis that does not answer counts as not durable', async () => {
    await expect(checkOf('strict', () => Promise.reject(new Error('away')))()).rejects.toThrow(
      'Redis cannot be asked: away',
    )
    expect(await shown('placeorder_redis_durable')).toBe(0)
  })

  test('is logged once, and again when it has changed', async () => {
    let faults = [off]
    const check = checkOf('relaxed', async () => ({ faults }))
    warned.length = 0
    for (let round = 0; round < 3; round += 1) await check()
    expect(warned).toHaveLength(1)
    faults = [off, 'keys may be evicted']
    await check()
    expect(warned).toHaveLength(2)
  })

  test('the backlog is that of all shards, and as old as the oldest order', async () => {
    const ages = [2_000, undefined, 90_000]
    const backlog = async (shard: number) => {
      const age = ages[shard]
      return { open: shard + 1, oldest: age === undefined ? undefined : Date.now() - age }
    }
    await readBacklog({ backlog }, 3, metrics)
    expect(await shown('placeorder_open_orders')).toBe(6)
    expect(await shown('placeorder_oldest_open_order_age_seconds')).toBeCloseTo(90, 0)
  })
})
