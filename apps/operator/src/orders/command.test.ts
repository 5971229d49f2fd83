import {
  type DeferredList,
  openIngressStore,
  openOperatorStore,
  openWorkerStore,
  orderIdOf,
  shardOf,
  sinkJobId,
} from '@placeorder/store'
import { aPlaceOrder, testRedis } from '@placeorder/testkit'
import { afterAll, describe, expect, test } from 'vitest'
import { runOrders } from './command.ts'

const SHARDS = 2
const redis = await testRedis({ own: true })
const options = {
  address: { urls: [redis.url], cluster: false, sentinels: [], sentinelName: '' },
  shards: SHARDS,
  onFault: () => {},
}
const [ingress, worker] = await Promise.all([
  openIngressStore({ ...options, waitMs: 100 }),
  openWorkerStore(options),
])
afterAll(async () => {
  await Promise.all([ingress.close(), worker.close()])
  await redis.close()
})

async function run(...args: string[]) {
  const [out, err]: [string[], string[]] = [[], []]
  const exit = await runOrders(args, {
    open: () => openOperatorStore(options),
    out: { write: (text) => out.push(text) },
    err: { write: (text) => err.push(text) },
    who: () => 'somebody@here',
  })
  return { exit, out: out.join(''), err: err.join('') }
}

async function taken(order = aPlaceOrder()) {
  await ingress.intake.accept({ order, clientId: 'C-1' }, AbortSignal.timeout(5_000))
  return order
}
const idOf = (paymentId: string) => orderIdOf(aPlaceOrder({ paymentId }))
const recordOf = async (paymentId: string) => worker.orders.record(idOf(paymentId))
const shardOfJob = async (jobId: string) => {
  const jobs = await Promise.all([0, 1].map((shard) => worker.queues.job(shard, jobId)))
  return jobs.findIndex((job) => job !== undefined)
}

describe('show', () => {
  test('shows an open order’s history, its job and nothing personal', async () => {
    const { paymentId } = await taken()
    const { jobId, paymentRequestId } = (await recordOf(paymentId)) ?? {}
    const { exit, out } = await run('show', paymentId)
    expect(exit).toBe(0)
    expect(out).toMatch(/^state +open for \d+ ms$/m)
    expect(out).toContain(`${jobId}, waiting`)
    expect(out).toContain(String(paymentRequestId))
    expect(out).toContain('100 CNY, settled in 100 CNY')
    expect(out).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z +\+0 ms +claimed$/m)
    expect(out).toMatch(/ \+\d+ ms +job g-\S+ enqueued$/m)
    for (const personal of ['281004132828992222233', '210282121122'])
      expect(out).not.toContain(personal)
  })

  test('shows the request as received with --full', async () => {
    const order = await taken()
    const { out } = await run('show', order.paymentId, '--full')
    expect(JSON.parse(out.slice(out.indexOf('\n{')))).toEqual(order)
  })

  test('shows when an order was abandoned and concluded', async () => {
    const { paymentId } = await taken()
    await worker.orders.conclude(idOf(paymentId), 'PROCESS_FAIL')
    await worker.orders.noteAbandoned(idOf(paymentId), Date.now())
    const { out } = await run('show', paymentId)
    expect(out).toMatch(/^state +concluded PROCESS_FAIL$/m)
    expect(out).toMatch(/\+\d+ ms +concluded PROCESS_FAIL$/m)
    expect(out).toMatch(/\+\d+ ms +abandoned/m)
  })

  test('shows the sendings of its event to each sink, and when it is sent again', async () => {
    const { paymentId } = await taken()
    const orderId = idOf(paymentId)
    const shard = shardOf(orderId, SHARDS)
    const store = await openOperatorStore(options)
    for (const sink of ['lake', 'ledger', 'tills']) await store.streams.open(shard, sink)
    const at = Date.now() - 60_000
    const sent = (result: string, orderIds = [orderId]) => [{ at, ms: 7, result, orderIds }]
    await store.streams.note(shard, 'lake', sent('delivered', [orderId, idOf('P-other')]))
    await store.streams.note(shard, 'ledger', sent('it answered HTTP 503'))
    await store.streams.note(shard, 'tills', sent('delivered', [idOf('P-other')]))
    const jobs = store.jobsOf(shard, 'ledger')
    const reason = 'it answered HTTP 503'
    await jobs.add([{ id: sinkJobId(orderId), orderId, reason, retryAfterMs: 600_000 }])
    const { out } = await run('show', paymentId)
    const moment = new Date(at).toISOString()
    expect(out).toMatch(new RegExp(`^${moment} +lake +delivered, after 7 ms$`, 'm'))
    expect(out).toMatch(new RegExp(`^${moment} +ledger +it answered HTTP 503, after`, 'm'))
    expect(out).toMatch(/^\S+ +ledger +is tried again, about$/m)
    expect(out).not.toContain('tills')
    await jobs.remove()
    await jobs.close()
    for (const sink of ['lake', 'ledger', 'tills']) await store.streams.remove(shard, sink)
    await store.close()
  })

  test('shows each replay that failed, and which sinks remember nothing', async () => {
    const { paymentId } = await taken()
    const orderId = idOf(paymentId)
    await worker.orders.conclude(orderId, 'SUCCESS')
    const shard = shardOf(orderId, SHARDS)
    const store = await openOperatorStore(options)
    for (const sink of ['ledger', 'tills', 'pull']) await store.streams.open(shard, sink)
    const jobs = store.jobsOf(shard, 'ledger')
    const [reason, retryAfterMs] = ['it answered HTTP 401', 600_000]
    const failed = (id: string, of = orderId) => ({ id, orderId: of, reason, retryAfterMs })
    const other = idOf('P-other')
    await jobs.add([
      failed(sinkJobId(orderId, '1-0')),
      failed(sinkJobId(orderId, '2-0')),
      failed(sinkJobId(other)),
      failed(sinkJobId(other, '1-0')),
    ])
    const { out } = await run('show', paymentId)
    expect(out.match(/^\S+Z +ledger +its replay is tried again, about$/gm)).toHaveLength(2)
    expect(out.match(/ledger/g)).toHaveLength(2)
    expect(out).toMatch(/^ +tills +not remembered: /m)
    expect(out).not.toContain('pull')
    await jobs.remove()
    await jobs.close()
    for (const sink of ['ledger', 'tills', 'pull']) await store.streams.remove(shard, sink)
    await store.close()
  })

  test('shows when a postponed order is retried', async () => {
    const { paymentId } = await taken()
    const { jobId } = (await recordOf(paymentId)) ?? {}
    const shard = await shardOfJob(jobId ?? '')
    await worker.requeue.postpone(shard, [{ orderId: idOf(paymentId), jobId }], 60_000)
    const { out } = await run('show', paymentId)
    expect(out).toContain('delayed')
    expect(out).toMatch(/\+(1\.0 min|\d+\.\d s|\d+ ms) +to be retried, not before$/m)
  })

  test.each<[DeferredList, words: string]>([
    ['later', 'deferred, to be judged again'],
    ['isolated', 'deferred, to be judged in a process of its own: workers have died of it'],
    ['check:suspects', 'deferred, until check suspects answers again'],
  ])('shows what an order on the list %s waits for', async (list, words) => {
    const { paymentId } = await taken()
    const { jobId } = (await recordOf(paymentId)) ?? {}
    const shard = await shardOfJob(jobId ?? '')
    await worker.deferral.defer(shard, list, [{ orderId: idOf(paymentId), jobId }], 60_000)
    const { out } = await run('show', paymentId)
    expect(out).toContain(words)
    expect(out).toMatch(/to be retried by then at the latest$/m)
  })

  test('shows that a job is gone', async () => {
    const { paymentId } = await taken()
    const { jobId = '' } = (await recordOf(paymentId)) ?? {}
    await worker.queues.queue(await shardOfJob(jobId)).remove(jobId)
    expect((await run('show', paymentId)).out).toContain(
      `${jobId}, which is gone: requeue gives it another`,
    )
  })
})

test('open lists the open orders of all shards, oldest first', async () => {
  const orders = [await taken(), await taken(), await taken(), await taken()]
  const { exit, out } = await run('open')
  expect(exit).toBe(0)
  const [count, , ...rows] = out.trimEnd().split('\n')
  expect(count).toBe(`${rows.length} open`)
  expect(rows.map((row) => row.split(/ +/).at(-1))).toEqual(
    expect.arrayContaining(orders.map(({ paymentId }) => paymentId)),
  )
  const claimed = rows.map((row) => /\d{4}-\S+Z/.exec(row)?.[0] ?? '')
  expect(claimed.toSorted()).toEqual(claimed)
})

test('abandoned lists the abandoned orders, newest first', async () => {
  const [first, second] = [aPlaceOrder(), aPlaceOrder()]
  await worker.orders.noteAbandoned(orderIdOf(first), Date.now() + 1_000)
  await worker.orders.noteAbandoned(orderIdOf(second), Date.now() + 2_000)
  const { out } = await run('abandoned')
  const [, ...rows] = out.trimEnd().split('\n')
  expect(rows.slice(0, 2).map((row) => row.split(/ +/).at(-1))).toEqual([
    second.paymentId,
    first.paymentId,
  ])
})

describe('retry', () => {
  test('gives an open order to a new job, at once', async () => {
    const { paymentId } = await taken()
    const before = await recordOf(paymentId)
    expect(await run('retry', paymentId)).toEqual({ exit: 0, out: 'given to a new job\n', err: '' })
    const { jobId = '' } = (await recordOf(paymentId)) ?? {}
    expect(jobId).toMatch(/^o-/)
    expect(jobId).not.toBe(before?.jobId)
    expect(await shardOfJob(jobId)).not.toBe(-1)
  })

  test('does not change a concluded order', async () => {
    const { paymentId } = await taken()
    await worker.orders.conclude(idOf(paymentId), 'EXPIRED_CODE')
    const { exit, err } = await run('retry', paymentId)
    expect([exit, err]).toEqual([1, 'it is concluded, EXPIRED_CODE: there is nothing to retry\n'])
  })
})

describe.each(['show', 'retry'])(
  '%s, when two acquirers have an order with the paymentId,',
  (verb) => {
    const twice = async () => {
      const { paymentId } = await taken(aPlaceOrder({ acquirerId: 'A-1' }))
      await taken(aPlaceOrder({ acquirerId: 'A:2 {s0}', paymentId }))
      return paymentId
    }

    test('asks which one is meant', async () => {
      expect(await run(verb, await twice())).toEqual({
        exit: 2,
        out: '',
        err:
          '2 acquirers have an order with this paymentId: A-1, A:2 {s0}\n' +
          'say which one is meant: --acquirer <id>\n',
      })
    })

    test('uses the one that is named', async () => {
      const paymentId = await twice()
      const { exit } = await run(verb, paymentId, '--acquirer', 'A:2 {s0}')
      expect(exit).toBe(0)
      const jobOf = async (acquirerId: string) =>
        (await worker.orders.record(orderIdOf({ acquirerId, paymentId })))?.jobId?.slice(0, 2)
      expect(await jobOf('A-1')).toBe('g-')
      expect(await jobOf('A:2 {s0}')).toBe(verb === 'retry' ? 'o-' : 'g-')
    })

    test('finds none of a third acquirer', async () => {
      expect(await run(verb, await twice(), '--acquirer', 'A')).toEqual({
        exit: 1,
        out: '',
        err: 'there is no such order\n',
      })
    })
  },
)

test.each(['show', 'retry'])('%s of an unknown order says that there is none', async (verb) => {
  expect(await run(verb, 'P-none')).toEqual({ exit: 1, out: '', err: 'there is no such order\n' })
})

test.each([
  [[]],
  [['show']],
  [['show', 'P-1', 'P-2']],
  [['open', 'P-1']],
  [['conclude', 'P-1']],
  [['open', '--soon']],
])('invalid arguments (%j) are answered with the help', async (args) => {
  const { exit, err } = await run(...args)
  expect(exit).toBe(2)
  expect(err).toContain('orders <command>')
})

test('help is not an error', async () => {
  expect(await run('--help')).toMatchObject({
    exit: 0,
    out: expect.stringContaining('orders <command>'),
  })
})

test.each([
  ['escapes', 'P-\u001b[2J\u009b2J', 'P-\\u001b[2J\\u009b2J'],
  ['line breaks', 'P-a\r\n1 open', 'P-a\\u000d\\u000a1 open'],
  ['marks of direction', 'P-\u202ea', 'P-\\u202ea'],
])('%s in a paymentId are escaped wherever it is printed', async (_what, paymentId, shown) => {
  await taken(aPlaceOrder({ paymentId }))
  const printed = await Promise.all([run('open'), run('show', paymentId, '--full')])
  for (const { out } of printed) {
    expect(out).toContain(shown)
    expect(out).not.toMatch(/[^\P{Cc}\n]|[\p{Cf}\p{Zl}]/u)
  }
})
