import { randomUUID } from 'node:crypto'
import type { PlaceOrderRequest } from '@placeorder/protocol'
import { type JudgedOrder, type OrderId, orderIdOf, TooLate } from '@placeorder/store'
import { aPlaceOrder } from '@placeorder/testkit'
import { expect, test, vi } from 'vitest'
import { noOpChecksObserver, openTestWorker } from '../test/worker-store.ts'
import { type Ask, guard } from './checks/guard.ts'
import type { Check } from './judge-order.ts'
import { processGroup } from './process-group.ts'
import { resumeRound } from './resume.ts'

const { store, deps, groupOf } = await openTestWorker()

test('a group is decided, each order by itself', async () => {
  const [good, unknown] = [aPlaceOrder(), aPlaceOrder({ codeValue: 'unknown' })]
  await processGroup(await groupOf(good, unknown), deps)
  expect(await store.orders.outcomeOf(orderIdOf(good))).toBe('SUCCESS')
  expect(await store.orders.outcomeOf(orderIdOf(unknown))).toBe('INVALID_CODE')
})

test.each([
  ['all of its orders are concluded together', false],
  ['one of its orders cannot be decided', true],
])('a round ends in the step that concludes it, or later: %s', async (_what, isDown) => {
  const [one, two] = [
    aPlaceOrder({ customerId: randomUUID() }),
    aPlaceOrder({ customerId: randomUUID() }),
  ]
  const group = await groupOf(one, two)
  const ends: unknown[] = []
  const roundEnd = { args: [0, '', 0, 0], note: (reply: unknown) => void ends.push(reply) }
  const ask: Ask = async ({ order }) => {
    if (isDown && order.paymentId === two.paymentId) throw new Error('down')
    return 'SUCCESS'
  }
  const entry = { name: 'own', after: 'code' as const, timeoutMs: 500, url: 'http://127.0.0.1' }
  const rulebook = { ...deps.rulebook(), checks: [guard(entry, ask, noOpChecksObserver)] }
  await processGroup({ ...group, roundEnd }, { ...deps, rulebook: () => rulebook })
  expect(ends).toEqual(isDown ? [] : [['0']])
  expect(await store.orders.outcomeOf(orderIdOf(one))).toBe('SUCCESS')
})

test('orders of a group are each judged by their own merchant category', async () => {
  const { merchant } = aPlaceOrder()
  const orders = ['5411', '7995', '5812', '6211'].map((merchantMCC) =>
    aPlaceOrder({ customerId: randomUUID(), merchant: { ...merchant, merchantMCC } }),
  )
  const expected = ['SUCCESS', 'RISK_REJECT', 'SUCCESS', 'RISK_REJECT']
  await processGroup(await groupOf(...orders), deps)
  const outcomes = orders.map((order) => store.orders.outcomeOf(orderIdOf(order)))
  expect(await Promise.all(outcomes)).toEqual(expected)
})

test('any text is a paymentId or a customerId', async () => {
  const odd = [
    'with space',
    'nul \0',
    'quote " and \\',
    'line\nbreak',
    '{s7}',
    '漢字😀',
    '[1]',
    'null',
  ]
  const orders = odd.map((text) =>
    aPlaceOrder({ paymentId: `${text} ${randomUUID()}`, customerId: text }),
  )
  await processGroup(await groupOf(...orders), deps)
  for (const order of orders)
    expect(await store.orders.outcomeOf(orderIdOf(order)), order.paymentId).toBe('SUCCESS')
})

test.each([
  ['says whose it is', true],
  ['does not say whose it is', false],
])('a job that %s leaves an order alone that names another job', async (_what, says) => {
  const [own, other] = [aPlaceOrder(), aPlaceOrder()]
  const [group, elsewhere] = [await groupOf(own), await groupOf(other)]
  const subjects = new Map([...(group.subjects ?? []), ...(says ? (elsewhere.subjects ?? []) : [])])
  await processGroup({ ...group, subjects, orderIds: [orderIdOf(own), orderIdOf(other)] }, deps)
  expect(await store.orders.outcomeOf(orderIdOf(own))).toBe('SUCCESS')
  expect(await store.orders.outcomeOf(orderIdOf(other))).toBeUndefined()
  await processGroup(elsewhere, deps)
  expect(await store.orders.outcomeOf(orderIdOf(other))).toBe('SUCCESS')
})

/** Waits until a deferred order is resumed, and gives its job. */
async function resumed(order: PlaceOrderRequest): Promise<string> {
  const resume = async () => {
    await store.deferral.resume(0, { decideWithinMs: 600_000, isOpen: () => false })
    return (await store.orders.jobsOf(0, [orderIdOf(order)]))[0]
  }
  await expect.poll(resume, { timeout: 10_000 }).toMatch(/^r-/)
  return (await resume()) ?? ''
}

/**
 * Makes the store fail for a customer: replaces a key that counts its orders by one of another
 * type.
 */
async function damage(customerId: string): Promise<void> {
  const customers = () => store.connection.keys('*:recent:customer:*')
  const others = await customers()
  await processGroup(await groupOf(aPlaceOrder({ customerId })), deps)
  const [key = ''] = (await customers()).filter((one) => !others.includes(one))
  await store.connection.set(key, 'damaged')
}

test('an order that makes the store fail leaves its neighbours to jobs of their own', async () => {
  const [good, bad] = [aPlaceOrder(), aPlaceOrder({ customerId: 'C-damaged' })]
  await damage('C-damaged')
  const group = await groupOf(good, bad)
  await processGroup(group, deps)
  const alone = async (order: PlaceOrderRequest) => {
    const orderId = orderIdOf(order)
    const jobId = (await store.orders.record(orderId))?.jobId ?? ''
    return { ...group, jobId, orderIds: [orderId] }
  }
  await processGroup(await alone(good), deps)
  expect(await store.orders.outcomeOf(orderIdOf(good))).toBe('SUCCESS')
  await expect(processGroup(await alone(bad), deps)).rejects.toThrow('WRONGTYPE')
  const jobs = await store.queues.queue(0).getDelayed()
  expect(jobs.map((job) => job.data.orderIds).toSorted()).toEqual(
    [[orderIdOf(good)], [orderIdOf(bad)]].toSorted(),
  )
})

test('a failure in one part of a large group leaves the other parts alone', async () => {
  const orders = Array.from({ length: 70 }, () => aPlaceOrder({ customerId: randomUUID() }))
  const bad = aPlaceOrder({ customerId: 'C-damaged-too' })
  await damage('C-damaged-too')
  const group = await groupOf(...orders.slice(0, 10), bad, ...orders.slice(10))
  await processGroup(group, deps)
  const outcomes = await Promise.all(
    orders.map((order) => store.orders.outcomeOf(orderIdOf(order))),
  )
  expect(outcomes.slice(30)).toEqual(outcomes.slice(30).map(() => 'SUCCESS'))
  // It and the orders of its part each have a job of their own now; no other order has.
  const jobIds = await store.orders.jobsOf(group.shard, group.orderIds)
  const open = group.orderIds.filter((_, i) => jobIds[i] !== undefined)
  expect(open).toContain(orderIdOf(bad))
  expect(new Set(jobIds.filter((jobId) => jobId !== undefined)).size).toBe(open.length)
  expect(open.length + outcomes.filter((outcome) => outcome === 'SUCCESS').length).toBe(71)
})

test('an overdue order whose worker died is abandoned without being judged again', async () => {
  const order = aPlaceOrder()
  const group = { ...(await groupOf(order)), stalled: 1 }
  const judged: unknown[] = []
  const check = {
    name: 'deadly',
    after: 'merchant' as const,
    run: () => Promise.reject(judged.push(1)),
  }
  const rulebook = { ...deps.rulebook(), checks: [check] }
  await processGroup(group, { ...deps, rulebook: () => rulebook, decideWithinMs: -2_000 })
  expect(judged).toEqual([])
  expect(await store.orders.outcomeOf(orderIdOf(order))).toBe('PROCESS_FAIL')
})

test('an undecided order becomes PROCESS_FAIL once it is overdue, not before', async () => {
  const order = aPlaceOrder()
  const group = await groupOf(order)
  const check = {
    name: 'down',
    after: 'merchant' as const,
    run: () => Promise.reject(new Error('down')),
  }
  const rulebook = { ...deps.rulebook(), checks: [check] }
  const undecidable = { ...deps, rulebook: () => rulebook }
  await processGroup(group, undecidable)
  expect(await store.orders.outcomeOf(orderIdOf(order))).toBeUndefined()
  const again = { ...group, jobId: await resumed(order) }
  await processGroup(again, { ...undecidable, decideWithinMs: -2_000 })
  expect(await store.orders.outcomeOf(orderIdOf(order))).toBe('PROCESS_FAIL')
})

const DAY_AND_MORE_MS = 25 * 3_600_000

test.each([
  ['the worker’s is a day ahead', 0, DAY_AND_MORE_MS],
  ['the worker’s is a day behind', 0, -DAY_AND_MORE_MS],
  // As when it is set ahead after the claim, and the worker's is right.
  ['Redis’s is put a day ahead', DAY_AND_MORE_MS, -DAY_AND_MORE_MS],
])('no order ends for its age by one wrong clock: %s', async (_, claimedBeforeMs, aheadMs) => {
  const order = aPlaceOrder()
  const group = { ...(await groupOf(order)), stalled: 1 }
  const claimedAt = Date.now() - claimedBeforeMs
  await store.connection.hset(`{s0}:order:${orderIdOf(order)}`, { claimedAt })
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + aheadMs })
  try {
    await processGroup(group, deps)
  } finally {
    vi.useRealTimers()
  }
  expect(await store.orders.outcomeOf(orderIdOf(order))).toBe('SUCCESS')
})

test.each([
  ['is decided', {}, 'SUCCESS'],
  ['does not end, if it cannot be read', { request: 'garbage' }, undefined],
])('an order claimed while Redis’s clock was a day behind %s', async (_, damage, outcome) => {
  const order = aPlaceOrder()
  const orderId = orderIdOf(order)
  const group = { ...(await groupOf(order)), stalled: 1 }
  const [key, claimedAt] = [`{s0}:order:${orderId}`, Date.now() - DAY_AND_MORE_MS]
  await store.connection.hset(key, { claimedAt, sentAt: Date.now(), ...damage })
  await store.connection.zadd('{s0}:open', claimedAt, orderId)
  await processGroup(group, deps)
  expect(await store.orders.outcomeOf(orderId)).toBe(outcome)
  expect(await store.orders.abandonedAt(orderId)).toBeUndefined()
})

test('an order whose record or counters are damaged is abandoned once overdue', async () => {
  const [unreadable, uncountable, good] = [
    aPlaceOrder(),
    aPlaceOrder({ customerId: 'C-ends' }),
    aPlaceOrder(),
  ]
  await damage('C-ends')
  const alone = await groupOf(uncountable)
  await expect(processGroup(alone, deps)).rejects.toThrow('WRONGTYPE')
  const group = await groupOf(unreadable, good)
  await store.connection.hset(`{s0}:order:${orderIdOf(unreadable)}`, 'request', 'garbage')
  await processGroup(group, deps)
  expect(await store.orders.outcomeOf(orderIdOf(good))).toBe('SUCCESS')
  const jobId = await resumed(unreadable)
  const late = { ...deps, decideWithinMs: -2_000 }
  await processGroup(alone, late)
  await processGroup({ ...group, jobId, orderIds: [orderIdOf(unreadable)] }, late)
  for (const order of [uncountable, unreadable]) {
    expect(await store.orders.outcomeOf(orderIdOf(order))).toBe('PROCESS_FAIL')
    expect(await store.orders.abandonedAt(orderIdOf(order))).toBeDefined()
  }
})

test('a group decided too long after it was read is processed again as a whole', async () => {
  const orders = [aPlaceOrder(), aPlaceOrder()]
  const group = await groupOf(...orders)
  const usage = Object.assign(Object.create(store.usage), {
    time: async () => {
      const { now, steady } = await store.usage.time()
      return { now, steady: steady - 61_000 }
    },
  })
  await expect(processGroup(group, { ...deps, store: { ...store, usage } })).rejects.toThrow(
    TooLate,
  )
  expect(await store.orders.jobsOf(0, group.orderIds)).toEqual([group.jobId, group.jobId])
  await processGroup(group, deps)
  for (const order of orders) expect(await store.orders.outcomeOf(orderIdOf(order))).toBe('SUCCESS')
})

test('an order that a newer version decided is reported; its neighbour is concluded', async () => {
  const [strange, good] = [aPlaceOrder(), aPlaceOrder()]
  const group = await groupOf(strange, good)
  const claimedAt = (await store.orders.claimedAt(orderIdOf(strange))) ?? 0
  const minute = Math.floor(claimedAt / 60_000)
  await store.connection.hset(`{u}:decided:${minute}`, orderIdOf(strange), '2{"code":"SUCCESS"}')
  const reported: OrderId[] = []
  const observer = {
    ...deps.observer,
    unreadable: (orderId: OrderId) => void reported.push(orderId),
  }
  await processGroup(group, { ...deps, observer })
  await processGroup(group, { ...deps, observer, decideWithinMs: -2_000 })
  expect(reported).toEqual([orderIdOf(strange), orderIdOf(strange)])
  expect(await store.orders.outcomeOf(orderIdOf(strange))).toBeUndefined()
  expect(await store.orders.outcomeOf(orderIdOf(good))).toBe('SUCCESS')
})

test('a worker that was paused for minutes uses no limit; another’s outcome stands', async () => {
  const order = aPlaceOrder({ customerId: randomUUID() })
  const group = await groupOf(order)
  const [stopped, goesOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const stops = async () => {
    stopped.resolve()
    await goesOn.promise
    return 'SUCCESS' as const
  }
  const rulebook = {
    ...deps.rulebook(),
    checks: [{ name: 'stops', after: 'merchant' as const, run: stops }],
  }
  await store.usage.forget(Date.now()) // The steady time begins.
  const first = processGroup(group, { ...deps, rulebook: () => rulebook, checksMs: 60_000 })
  await stopped.promise
  const judged: JudgedOrder[] = []
  const observer = { ...deps.observer, decided: (all: JudgedOrder[]) => void judged.push(...all) }
  await processGroup(group, { ...deps, observer })
  const outcome = await store.orders.outcomeOf(orderIdOf(order))
  const uses = judged.flatMap(({ limitUses }) => limitUses)
  const used = await store.usage.usedOf(uses)
  await forgetDecisions()
  goesOn.resolve()
  await expect(first).rejects.toThrow(TooLate)
  await processGroup(group, deps) // Its job is run again.
  expect(await store.orders.outcomeOf(orderIdOf(order))).toBe(outcome)
  expect(await store.usage.usedOf(uses)).toEqual(used)
  expect(used).toContainEqual({ amount: uses[0]?.amount, count: 1n })
})

/** No order is open any more, and minutes pass, until no decision is kept. */
async function forgetDecisions(): Promise<void> {
  await store.usage.forget(undefined)
  await store.connection.hincrby('{u}:steady-time', 'steady', 3 * 60_000)
  await store.usage.forget(undefined)
  expect(await store.connection.keys('{u}:decided:*')).toEqual([])
}

test('an abandoned order that was placed before is answered as placed', async () => {
  const order = aPlaceOrder()
  const group = await groupOf(order)
  const { claimedAt = 0 } = (await store.orders.record(orderIdOf(order))) ?? {}
  await store.usage.decide(
    [
      {
        orderId: orderIdOf(order),
        claimedAt,
        judged: 'SUCCESS',
        limitUses: [],
        orderCode: undefined,
      },
    ],
    await store.usage.time(),
  )
  const check = {
    name: 'down',
    after: 'merchant' as const,
    run: () => Promise.reject(new Error('down')),
  }
  const rulebook = { ...deps.rulebook(), checks: [check] }
  const abandoned: string[] = []
  const observer = {
    ...deps.observer,
    abandoned: (orderId: OrderId) => void abandoned.push(orderId),
  }
  await processGroup(group, { ...deps, observer, rulebook: () => rulebook, decideWithinMs: -2_000 })
  expect(await store.orders.outcomeOf(orderIdOf(order))).toBe('SUCCESS')
  expect(abandoned).toEqual([])
})

test('an order whose key is not a record leaves its neighbours to jobs of their own', async () => {
  const [good, bad] = [aPlaceOrder(), aPlaceOrder()]
  const group = await groupOf(good, bad)
  await store.connection.set(`{s0}:order:${orderIdOf(bad)}`, 'damaged')
  await processGroup(group, deps)
  const [jobId = ''] = await store.orders.jobsOf(0, [orderIdOf(good)])
  await processGroup({ ...group, jobId, orderIds: [orderIdOf(good)] }, deps)
  expect(await store.orders.outcomeOf(orderIdOf(good))).toBe('SUCCESS')
  expect(await store.requeue.requeueOpen(0, group.orderIds)).toEqual([])
})

test('a check’s PROCESS_FAIL is an answer like any other, not an abandonment', async () => {
  const order = aPlaceOrder()
  const group = await groupOf(order)
  const check = { name: 'no', after: 'merchant' as const, run: async () => 'PROCESS_FAIL' as const }
  const rulebook = { ...deps.rulebook(), checks: [check] }
  await processGroup(group, { ...deps, rulebook: () => rulebook })
  expect(await store.orders.outcomeOf(orderIdOf(order))).toBe('PROCESS_FAIL')
  expect(await store.orders.abandonedAt(orderIdOf(order))).toBeUndefined()
})

test('an order that has joined a job and cannot be decided leaves it', async () => {
  const order = aPlaceOrder()
  const group = await groupOf(order)
  const check = {
    name: 'down',
    after: 'merchant' as const,
    run: () => Promise.reject(new Error('down')),
  }
  const rulebook = { ...deps.rulebook(), checks: [check] }
  await processGroup({ ...group, joined: true }, { ...deps, rulebook: () => rulebook })
  expect((await store.orders.record(orderIdOf(order)))?.jobId).toBe('deferred:later')
})

/** A check that answers only when it is up. */
function fragile(): { check: Check; up: () => void } {
  let isUp = false
  const up = () => {
    isUp = true
  }
  const ask = async () => {
    if (!isUp) throw new Error('down')
    return 'SUCCESS' as const
  }
  const entry = { name: 'own', after: 'code' as const, timeoutMs: 500, url: 'http://127.0.0.1' }
  return { check: guard(entry, ask, noOpChecksObserver), up }
}

test('only orders that need a check with an open circuit wait for it', {
  timeout: 20_000,
}, async () => {
  const { check, up } = fragile()
  const rulebook = { ...deps.rulebook(), checks: [check] }
  const checked = { ...deps, rulebook: () => rulebook }
  const orders = Array.from({ length: 8 }, () => aPlaceOrder({ customerId: randomUUID() }))
  for (const order of orders) await processGroup(await groupOf(order), checked)
  const [early, late] = [orders.slice(0, 5), orders.slice(5)]
  const ids = (some: PlaceOrderRequest[]) => some.map(orderIdOf)
  expect(new Set(await store.orders.jobsOf(0, ids(early)))).toEqual(new Set(['deferred:later']))
  expect(new Set(await store.orders.jobsOf(0, ids(late)))).toEqual(
    new Set(['deferred:check:own/C-1']),
  )
  const refused = aPlaceOrder({ codeValue: 'unknown' })
  await processGroup(await groupOf(refused), checked)
  expect(await store.orders.outcomeOf(orderIdOf(refused))).toBe('INVALID_CODE')
  up()
  const afterPause = async () => {
    await processGroup(await groupOf(aPlaceOrder()), checked)
    return check.isOpen?.('own/C-1')
  }
  await expect.poll(afterPause, { timeout: 5_000 }).toBe(false)
  const resume = async () => {
    await resumeRound({ store, shards: 1, rulebook: checked.rulebook, decideWithinMs: 600_000 })
    return new Set(await store.orders.jobsOf(0, ids(late)))
  }
  await expect.poll(resume, { timeout: 5_000 }).toEqual(new Set([expect.stringMatching(/^r-/)]))
  const [jobId = ''] = await store.orders.jobsOf(0, ids(late))
  await processGroup({ ...(await groupOf(refused)), jobId, orderIds: ids(late) }, checked)
  for (const orderId of ids(late)) expect(await store.orders.outcomeOf(orderId)).toBe('SUCCESS')
})
