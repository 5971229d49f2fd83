import { readFileSync } from 'node:fs'
import { FaultProxy } from '@placeorder/testkit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeKeys } from '../../test/keys.ts'
import { type Seen, SmallAcquirer } from '../../test/small-acquirer.ts'
import { newPaymentId, orderCall } from '../cli/sample-order.ts'
import { callPlaceOrder, followOrder, inquiryWaitsMs } from './call-place-order.ts'
import { Caller, patience } from './caller.ts'

const keys = makeKeys()
const sample = JSON.parse(
  readFileSync(new URL('../../../../config/sample-order.json', import.meta.url), 'utf8'),
)
const anOrder = () =>
  orderCall(Buffer.from(JSON.stringify({ ...sample, paymentId: newPaymentId() })))

/** Waits of the schedule become milliseconds: 4 ms, 4 ms, 30 ms … */
const quick = { timeFactor: 0.001 }

let acquirer: SmallAcquirer
let caller: Caller
/** Waits for hours are not for tests; this long an answer takes on a busy machine. */
const impatient = { placeMs: 500, inquireMs: 500 }
const callerOf = (url: URL, waits = { placeMs: 5_000, inquireMs: 5_000 }) =>
  new Caller(
    {
      url,
      inquiryUrl: new URL('inquiryOrder', url),
      clientId: 'SANDBOX_5Y00000000000001',
      key: keys.caller,
      keyVersion: '1',
      serverKey: keys.acquirerPublic,
      tls: { rejectUnauthorized: true },
    },
    waits,
  )

beforeEach(async () => {
  acquirer = await new SmallAcquirer(keys).listen()
  caller = callerOf(acquirer.url)
})
afterEach(async () => {
  await caller.close()
  await acquirer[Symbol.asyncDispose]()
})

const kinds = (seen: Seen[]) => seen.map(({ kind }) => kind)

describe('callPlaceOrder', () => {
  test('an order that is answered S is sent once', async () => {
    const order = anOrder()
    const call = await callPlaceOrder(order, caller, quick)
    expect(call.final).toEqual({
      kind: 'RESULT',
      status: 'S',
      code: 'SUCCESS',
      paymentRequestId: `R${order.ids?.paymentId}`,
    })
    expect(kinds(acquirer.seen)).toEqual(['place'])
  })

  test('an order that is answered F is sent once', async () => {
    acquirer.behave = () => ({ code: 'RISK_REJECT' })
    const call = await callPlaceOrder(anOrder(), caller, quick)
    expect(call.final).toMatchObject({ status: 'F', code: 'RISK_REJECT' })
    expect(kinds(acquirer.seen)).toEqual(['place'])
  })

  test('after a U the same parameters go again, signed afresh', async () => {
    acquirer.behave = (_seen, nth) => (nth === 0 ? { code: 'PAYMENT_IN_PROCESS' } : {})
    const call = await callPlaceOrder(anOrder(), caller, quick)
    expect(call.final).toMatchObject({ code: 'SUCCESS' })
    const [first, again] = acquirer.seen
    expect(again?.body).toEqual(first?.body)
    expect(again?.signature).not.toBe(first?.signature)
    expect(acquirer.seen).toHaveLength(2)
  })

  test('after a time-out the same parameters go again, over another connection', async () => {
    acquirer.behave = (_seen, nth) => (nth === 0 ? { hang: true } : {})
    const hasty = callerOf(acquirer.url, impatient)
    const call = await callPlaceOrder(anOrder(), hasty, quick)
    await hasty.close()
    expect(call.steps.map(({ exchange }) => exchange.reply.kind)).toEqual(['TIMED_OUT', 'ANSWERED'])
    expect(call.final).toMatchObject({ code: 'SUCCESS' })
  })

  test('after a dropped connection the same parameters go again', async () => {
    acquirer.behave = (_seen, nth) => (nth === 0 ? { drop: true } : {})
    const call = await callPlaceOrder(anOrder(), caller, quick)
    expect(call.steps.map(({ exchange }) => exchange.reply.kind)).toEqual(['DROPPED', 'ANSWERED'])
    expect(call.final).toMatchObject({ code: 'SUCCESS' })
  })

  test('while the answer is U it inquires on the schedule, and stops at the first final result', async () => {
    const order = anOrder()
    acquirer.behave = ({ kind, paymentId }, nth) => {
      const kept = acquirer.orders.get(paymentId)
      if (kind === 'inquire' && nth === 4 && kept)
        acquirer.orders.set(paymentId, { ...kept, outcome: 'SUCCESS' })
      return { code: 'PAYMENT_IN_PROCESS' }
    }
    const call = await callPlaceOrder(order, caller, quick)
    expect(call.final).toMatchObject({
      code: 'SUCCESS',
      paymentRequestId: `R${order.ids?.paymentId}`,
    })
    expect(kinds(acquirer.seen)).toEqual(['place', 'place', 'inquire', 'inquire', 'inquire'])
  })

  test('an order that never becomes final ends open after the eighth inquiry', async () => {
    acquirer.behave = () => ({ code: 'PAYMENT_IN_PROCESS' })
    const call = await callPlaceOrder(anOrder(), caller, quick)
    expect(call.final).toBeUndefined()
    expect(call.steps.map(({ kind }) => kind)).toEqual([
      'PLACE',
      'REPEAT',
      ...Array(8).fill('INQUIRE'),
    ])
    const inquiries = call.steps.slice(2)
    for (const [at, waitMs] of inquiryWaitsMs(0.001).entries()) {
      const before = inquiries[at - 1]?.atMs ?? 0
      expect((inquiries[at]?.atMs ?? 0) - before).toBeGreaterThanOrEqual(waitMs - 1)
    }
  })

  test('an order the acquirer does not know is placed again', async () => {
    acquirer.behave = ({ kind }, nth) =>
      nth < 2 && kind === 'place' ? { forget: true, code: 'REQUEST_TRAFFIC_EXCEED_LIMIT' } : {}
    const call = await callPlaceOrder(anOrder(), caller, quick)
    expect(kinds(acquirer.seen)).toEqual(['place', 'place', 'inquire', 'place'])
    expect(call.final).toMatchObject({ code: 'SUCCESS' })
  })

  test.each([
    ['not signed', { unsigned: true }],
    ['signed wrongly', { wrongSignature: true }],
    ['of HTTP status 500', { httpStatus: 500 }],
  ])('an answer that is %s is no answer', async (_name, behaviour) => {
    acquirer.behave = (_seen, nth) => (nth === 0 ? behaviour : {})
    const call = await callPlaceOrder(anOrder(), caller, quick)
    expect(call.steps[0]?.heard.kind).toBe('NOTHING')
    expect(call.final).toMatchObject({ code: 'SUCCESS' })
    expect(acquirer.seen).toHaveLength(2)
  })

  test('an aborted signal ends it at once, with the reason', async () => {
    acquirer.behave = () => ({ code: 'PAYMENT_IN_PROCESS' })
    const controller = new AbortController()
    const reason = new Error('enough')
    const call = callPlaceOrder(anOrder(), caller, {
      signal: controller.signal,
      onStep: ({ kind }) => kind === 'REPEAT' && controller.abort(reason),
    })
    await expect(call).rejects.toBe(reason)
  })

  test('a body without ids is repeated, since nobody can inquire after it', async () => {
    await using unheard = await new SmallAcquirer(keys, {
      ways: { httpStatus: () => 500 },
    }).listen()
    const called = callerOf(unheard.url)
    const call = await callPlaceOrder(orderCall(Buffer.from('no JSON')), called, quick)
    await called.close()
    expect(call.steps.map(({ kind }) => kind)).toEqual(['PLACE', ...Array(9).fill('REPEAT')])
  })

  test('followOrder inquires after an order that was placed by another', async () => {
    const order = anOrder()
    await caller.place(order.body)
    const call = await followOrder(order, caller, quick)
    expect(call.final).toMatchObject({ code: 'SUCCESS' })
    expect(kinds(acquirer.seen)).toEqual(['place', 'inquire'])
  })
})

describe('through a faulty network', () => {
  let proxy: FaultProxy
  let through: Caller
  beforeEach(async () => {
    proxy = await FaultProxy.open({ port: acquirer.port })
    through = callerOf(new URL(`http://127.0.0.1:${proxy.port}${acquirer.url.pathname}`), impatient)
  })
  afterEach(async () => {
    await through.close()
    await proxy.close()
  })

  /** The first step meets the weather; when it is over, so is the weather. */
  const healing = { ...quick, onStep: () => void proxy.heal() }

  test.each<[string, 'TIMED_OUT' | 'DROPPED', () => void | Promise<void>]>([
    ['stalls', 'TIMED_OUT', () => proxy.stall()],
    ['swallows everything', 'TIMED_OUT', () => proxy.blackHole()],
    ['is slower than the caller is patient', 'TIMED_OUT', () => proxy.slow(2 * impatient.placeMs)],
    ['refuses connections', 'DROPPED', () => proxy.refuse()],
  ])(
    'an order is placed once when the network %s and then recovers',
    async (_what, kind, weather) => {
      await weather()
      const call = await callPlaceOrder(anOrder(), through, healing)
      expect(call.steps[0]?.exchange.reply.kind).toBe(kind)
      expect(call.final).toMatchObject({ code: 'SUCCESS' })
      expect(acquirer.orders.size).toBe(1)
    },
  )

  test.each<[string, 'TIMED_OUT' | 'DROPPED', () => void]>([
    ['its answer is cut in the middle', 'DROPPED', () => proxy.cutMidway('server')],
    ['its connection is reset before the answer', 'DROPPED', () => proxy.cut()],
    ['the acquirer is gone and nobody says so', 'TIMED_OUT', () => proxy.halfOpen('server')],
  ])('an order that was taken in is found when %s', async (_what, kind, fault) => {
    acquirer.behave = (_seen, nth) => {
      if (nth === 0) fault()
      return {}
    }
    const call = await callPlaceOrder(anOrder(), through, quick)
    expect(call.steps[0]?.exchange.reply.kind).toBe(kind)
    expect(call.final).toMatchObject({ code: 'SUCCESS' })
    expect(acquirer.orders.size).toBe(1)
    expect(new Set(acquirer.seen.map(({ body }) => body.toString())).size).toBe(1)
  })

  test('nobody listening is a lost connection, not an exception', async () => {
    await proxy.refuse()
    const call = await callPlaceOrder(anOrder(), through, quick)
    expect(call.final).toBeUndefined()
    expect(call.steps[0]?.exchange.reply).toMatchObject({
      kind: 'DROPPED',
      reason: expect.stringContaining('ECONNREFUSED'),
    })
  })
})

test('the waits are those of Alipay+: 8 s for an order, inquiries after 4, 4, 30, 60, 60, 60, 300 and 300 s', () => {
  expect(patience.placeMs).toBe(8_000)
  expect(inquiryWaitsMs().map((ms) => ms / 1000)).toEqual([4, 4, 30, 60, 60, 60, 300, 300])
})
