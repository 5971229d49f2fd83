import { readFileSync } from 'node:fs'
import net from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeKeys } from '../test/keys.ts'
import { type Seen, SmallAcquirer } from '../test/small-acquirer.ts'
import { callPlaceOrder, followOrder, inquiryWaitsMs } from './call-place-order.ts'
import { Caller, patience } from './caller.ts'
import { newPaymentId, orderCall } from './sample-order.ts'

const keys = makeKeys()
const sample = JSON.parse(readFileSync(new URL('../../../config/sample-order.json', import.meta.url), 'utf8'))
const anOrder = () => orderCall(Buffer.from(JSON.stringify({ ...sample, paymentId: newPaymentId() })))

/** Waits of the schedule become milliseconds: 4 ms, 4 ms, 30 ms … */
const quick = { timeFactor: 0.001 }

let acquirer: SmallAcquirer
let caller: Caller
const callerOf = (url: URL, waits = { placeMs: 300, inquireMs: 300 }) =>
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
    const call = await callPlaceOrder(anOrder(), caller, quick)
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
    expect(call.final).toMatchObject({ code: 'SUCCESS', paymentRequestId: `R${order.ids?.paymentId}` })
    expect(kinds(acquirer.seen)).toEqual(['place', 'place', 'inquire', 'inquire', 'inquire'])
  })

  test('an order that never becomes final ends open after the eighth inquiry', async () => {
    acquirer.behave = () => ({ code: 'PAYMENT_IN_PROCESS' })
    const call = await callPlaceOrder(anOrder(), caller, quick)
    expect(call.final).toBeUndefined()
    expect(call.steps.map(({ kind }) => kind)).toEqual(['PLACE', 'REPEAT', ...Array(8).fill('INQUIRE')])
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
    const call = await callPlaceOrder(orderCall(Buffer.from('no JSON')), caller, quick)
    expect(call.steps.every(({ kind }) => kind !== 'INQUIRE')).toBe(true)
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
  test('an order whose answer is cut in the middle is placed once, and found', async () => {
    const proxy = await cuttingProxy(acquirer.port, { answerBytesMax: 60, cuts: 2 })
    const through = callerOf(new URL(`http://127.0.0.1:${proxy.port}${acquirer.url.pathname}`))
    try {
      const call = await callPlaceOrder(anOrder(), through, quick)
      expect(call.steps.map(({ exchange }) => exchange.reply.kind)).toEqual([
        'DROPPED',
        'DROPPED',
        'ANSWERED',
      ])
      expect(call.final).toMatchObject({ code: 'SUCCESS' })
      expect(acquirer.orders.size).toBe(1)
    } finally {
      await through.close()
      proxy.close()
    }
  })

  test('nobody listening is a lost connection, not an exception', async () => {
    const proxy = await cuttingProxy(acquirer.port, { answerBytesMax: 0, cuts: 0 })
    proxy.close()
    const nowhere = callerOf(new URL(`http://127.0.0.1:${proxy.port}/`))
    const call = await callPlaceOrder(anOrder(), nowhere, quick)
    expect(call.final).toBeUndefined()
    expect(call.steps[0]?.exchange.reply).toMatchObject({
      kind: 'DROPPED',
      reason: expect.stringContaining('ECONNREFUSED'),
    })
    await nowhere.close()
  })
})

test('the waits are those of Alipay+: 8 s for an order, inquiries after 4, 4, 30, 60, 60, 60, 300 and 300 s', () => {
  expect(patience.placeMs).toBe(8_000)
  expect(inquiryWaitsMs().map((ms) => ms / 1000)).toEqual([4, 4, 30, 60, 60, 60, 300, 300])
})

/** A TCP proxy that cuts the first `cuts` connections once so many bytes of the answer have passed. */
async function cuttingProxy(
  port: number,
  { answerBytesMax, cuts }: { answerBytesMax: number; cuts: number },
) {
  let left = cuts
  const server = net.createServer((near) => {
    const far = net.connect(port, '127.0.0.1')
    const cut = left-- > 0
    near.pipe(far)
    near.on('error', () => far.destroy())
    far.on('error', () => near.destroy())
    if (!cut) return void far.pipe(near)
    far.once('data', (chunk) => {
      near.write(chunk.subarray(0, answerBytesMax), () => near.destroy())
      far.destroy()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the proxy does not listen on a port')
  return { port: address.port, close: () => server.close() }
}
