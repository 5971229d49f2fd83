import { FaultProxy } from '@placeorder/testkit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import sampleOrder from '../../../../config/sample-order.json' with { type: 'json' }
import { makeKeys } from '../../test/keys.ts'
import { type AcquirerRequest, SmallAcquirer } from '../../test/small-acquirer.ts'
import { newPaymentId, orderCall } from '../cli/sample-order.ts'
import { callPlaceOrder, inquiryWaitsMs, pollOrder } from './call-place-order.ts'
import { answerTimeouts, PlaceOrderClient } from './place-order-client.ts'

const keys = makeKeys()
const anOrder = () =>
  orderCall(Buffer.from(JSON.stringify({ ...sampleOrder, paymentId: newPaymentId() })))

/** The waits of the schedule in milliseconds instead of seconds: 4, 4, 30 … */
const quick = { timeFactor: 0.001 }

let acquirer: SmallAcquirer
let client: PlaceOrderClient
/** Short enough for a test, long enough for an answer on a busy machine. */
const shortTimeouts = { placeMs: 500, inquireMs: 500 }
const clientOf = (url: URL, waits = { placeMs: 5_000, inquireMs: 5_000 }) =>
  new PlaceOrderClient(
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
  client = clientOf(acquirer.url)
})
afterEach(async () => {
  await client.close()
  await acquirer[Symbol.asyncDispose]()
})

const kinds = (seen: AcquirerRequest[]) => seen.map(({ kind }) => kind)

describe('callPlaceOrder', () => {
  test('an order that is answered S is sent once', async () => {
    const order = anOrder()
    const call = await callPlaceOrder(order, client, quick)
    expect(call.final).toEqual({
      kind: 'RESULT',
      status: 'S',
      code: 'SUCCESS',
      paymentRequestId: `R${order.ids?.paymentId}`,
    })
    expect(kinds(acquirer.received)).toEqual(['place'])
  })

  test('an order that is answered F is sent once', async () => {
    acquirer.override = () => ({ code: 'RISK_REJECT' })
    const call = await callPlaceOrder(anOrder(), client, quick)
    expect(call.final).toMatchObject({ status: 'F', code: 'RISK_REJECT' })
    expect(kinds(acquirer.received)).toEqual(['place'])
  })

  test('the same parameters are sent again after a U, with a new signature', async () => {
    acquirer.override = (_seen, nth) => (nth === 0 ? { code: 'PAYMENT_IN_PROCESS' } : {})
    const call = await callPlaceOrder(anOrder(), client, quick)
    expect(call.final).toMatchObject({ code: 'SUCCESS' })
    const [first, again] = acquirer.received
    expect(again?.body).toEqual(first?.body)
    expect(again?.signature).not.toBe(first?.signature)
    expect(acquirer.received).toHaveLength(2)
  })

  test('the same parameters are sent again after a time-out, over another connection', async () => {
    acquirer.override = (_seen, nth) => (nth === 0 ? { hang: true } : {})
    const hasty = clientOf(acquirer.url, shortTimeouts)
    const call = await callPlaceOrder(anOrder(), hasty, quick)
    await hasty.close()
    expect(call.steps.map(({ exchange }) => exchange.reply.kind)).toEqual(['TIMED_OUT', 'ANSWERED'])
    expect(call.final).toMatchObject({ code: 'SUCCESS' })
  })

  test('the same parameters are sent again after a dropped connection', async () => {
    acquirer.override = (_seen, nth) => (nth === 0 ? { drop: true } : {})
    const call = await callPlaceOrder(anOrder(), client, quick)
    expect(call.steps.map(({ exchange }) => exchange.reply.kind)).toEqual(['DROPPED', 'ANSWERED'])
    expect(call.final).toMatchObject({ code: 'SUCCESS' })
  })

  test('an order that is answered U is inquired after until its first final result', async () => {
    const order = anOrder()
    acquirer.override = ({ kind, paymentId }, nth) => {
      const kept = acquirer.orders.get(paymentId)
      if (kind === 'inquire' && nth === 4 && kept)
        acquirer.orders.set(paymentId, { ...kept, outcome: 'SUCCESS' })
      return { code: 'PAYMENT_IN_PROCESS' }
    }
    const call = await callPlaceOrder(order, client, quick)
    expect(call.final).toMatchObject({
      code: 'SUCCESS',
      paymentRequestId: `R${order.ids?.paymentId}`,
    })
    expect(kinds(acquirer.received)).toEqual(['place', 'place', 'inquire', 'inquire', 'inquire'])
  })

  test('an order that never becomes final is open after the eighth inquiry', async () => {
    acquirer.override = () => ({ code: 'PAYMENT_IN_PROCESS' })
    const call = await callPlaceOrder(anOrder(), client, quick)
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

  test('an order that the acquirer does not know is placed again', async () => {
    acquirer.override = ({ kind }, nth) =>
      nth < 2 && kind === 'place' ? { forget: true, code: 'REQUEST_TRAFFIC_EXCEED_LIMIT' } : {}
    const call = await callPlaceOrder(anOrder(), client, quick)
    expect(kinds(acquirer.received)).toEqual(['place', 'place', 'inquire', 'place'])
    expect(call.final).toMatchObject({ code: 'SUCCESS' })
  })

  test.each([
    ['not signed', { unsigned: true }],
    ['signed wrongly', { wrongSignature: true }],
    ['of HTTP status 500', { httpStatus: 500 }],
  ])('an answer that is %s counts as none', async (_name, behaviour) => {
    acquirer.override = (_seen, nth) => (nth === 0 ? behaviour : {})
    const call = await callPlaceOrder(anOrder(), client, quick)
    expect(call.steps[0]?.parsed.kind).toBe('NOTHING')
    expect(call.final).toMatchObject({ code: 'SUCCESS' })
    expect(acquirer.received).toHaveLength(2)
  })

  test('an aborted signal ends the call at once with its reason', async () => {
    acquirer.override = () => ({ code: 'PAYMENT_IN_PROCESS' })
    const controller = new AbortController()
    const reason = new Error('enough')
    const call = callPlaceOrder(anOrder(), client, {
      signal: controller.signal,
      onStep: ({ kind }) => kind === 'REPEAT' && controller.abort(reason),
    })
    await expect(call).rejects.toBe(reason)
  })

  test('a body without ids is repeated, since it cannot be inquired after', async () => {
    await using acquirer500 = await new SmallAcquirer(keys, {
      behaviours: { httpStatus: () => 500 },
    }).listen()
    const called = clientOf(acquirer500.url)
    const call = await callPlaceOrder(orderCall(Buffer.from('not JSON')), called, quick)
    await called.close()
    expect(call.steps.map(({ kind }) => kind)).toEqual(['PLACE', ...Array(9).fill('REPEAT')])
  })

  test('pollOrder inquires after an order that another request placed', async () => {
    const order = anOrder()
    await client.place(order.body)
    const call = await pollOrder(order, client, quick)
    expect(call.final).toMatchObject({ code: 'SUCCESS' })
    expect(kinds(acquirer.received)).toEqual(['place', 'inquire'])
  })
})

describe('through a faulty network', () => {
  let proxy: FaultProxy
  let through: PlaceOrderClient
  beforeEach(async () => {
    proxy = await FaultProxy.open({ port: acquirer.port })
    through = clientOf(
      new URL(`http://127.0.0.1:${proxy.port}${acquirer.url.pathname}`),
      shortTimeouts,
    )
  })
  afterEach(async () => {
    await through.close()
    await proxy.close()
  })

  /** The first step meets the network fault, which ends after it. */
  const healing = { ...quick, onStep: () => void proxy.heal() }

  test.each<[string, 'TIMED_OUT' | 'DROPPED', () => void | Promise<void>]>([
    ['stalls', 'TIMED_OUT', () => proxy.stall()],
    ['swallows everything', 'TIMED_OUT', () => proxy.blackHole()],
    ['is slower than the time-out', 'TIMED_OUT', () => proxy.slow(2 * shortTimeouts.placeMs)],
    ['refuses connections', 'DROPPED', () => proxy.refuse()],
  ])(
    'an order is placed once when the network %s and then recovers',
    async (_what, kind, injectFault) => {
      await injectFault()
      const call = await callPlaceOrder(anOrder(), through, healing)
      expect(call.steps[0]?.exchange.reply.kind).toBe(kind)
      expect(call.final).toMatchObject({ code: 'SUCCESS' })
      expect(acquirer.orders.size).toBe(1)
    },
  )

  test.each<[string, 'TIMED_OUT' | 'DROPPED', () => void]>([
    ['its answer is cut in the middle', 'DROPPED', () => proxy.cutMidway('server')],
    ['its connection is reset before the answer', 'DROPPED', () => proxy.cut()],
    ['the acquirer vanishes without a FIN', 'TIMED_OUT', () => proxy.halfOpen('server')],
  ])('an accepted order is found when %s', async (_what, kind, fault) => {
    acquirer.override = (_seen, nth) => {
      if (nth === 0) fault()
      return {}
    }
    const call = await callPlaceOrder(anOrder(), through, quick)
    expect(call.steps[0]?.exchange.reply.kind).toBe(kind)
    expect(call.final).toMatchObject({ code: 'SUCCESS' })
    expect(acquirer.orders.size).toBe(1)
    expect(new Set(acquirer.received.map(({ body }) => body.toString())).size).toBe(1)
  })

  test('a refused connection is a lost connection, not an exception', async () => {
    await proxy.refuse()
    const call = await callPlaceOrder(anOrder(), through, quick)
    expect(call.final).toBeUndefined()
    expect(call.steps[0]?.exchange.reply).toMatchObject({
      kind: 'DROPPED',
      reason: expect.stringContaining('ECONNREFUSED'),
    })
  })
})

test('time-outs and waits are those that Alipay+ publishes', () => {
  expect(answerTimeouts.placeMs).toBe(8_000)
  expect(inquiryWaitsMs().map((ms) => ms / 1000)).toEqual([4, 4, 30, 60, 60, 60, 300, 300])
})
