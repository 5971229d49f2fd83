import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { aPlaceOrder, openSystem, signedCall } from '@placeorder/testkit'
import { afterAll, expect, test } from 'vitest'

const system = await openSystem()
afterAll(() => system.close())

const { acquirerId, pspId, paymentId } = aPlaceOrder()
const inquiry = { acquirerId, pspId, paymentId }

test('an ingress that was paused answers all that came before its SIGTERM', async () => {
  // Without time between signal and close, only the close itself can read them.
  const ingress = await system.startIngress({ DRAIN_MS: '0' })
  const url = `${ingress.origin}/aps/api/v1/payments/inquiryOrder`
  let sent = 0
  ingress.kill('SIGSTOP')
  const calls = Array.from({ length: 300 }, () =>
    signedCall(url, inquiry, system.caller, {
      onSend: () => {
        sent += 1
      },
    }),
  )
  await expect.poll(() => sent, { timeout: 30_000 }).toBe(calls.length)
  ingress.kill('SIGTERM')
  ingress.kill('SIGCONT')
  const answers = await Promise.all(calls)
  expect(answers.filter(({ verified }) => !verified)).toEqual([])
  // Inquiries pass admission like orders, and so many at once exceed the expected wait.
  const known = ['ORDER_NOT_EXIST', 'REQUEST_TRAFFIC_EXCEED_LIMIT']
  expect(answers.filter(({ code }) => !known.includes(code))).toEqual([])
  expect(await ingress.exited).toBe(0)
}, 60_000)

/** Longer than an ingress that has free CPU waits for outcomes and closes (ms). */
const PAUSE_MS = 3_000

test('an ingress that is paused while it ends answers all that is in flight', async () => {
  const ingress = await system.startIngress({ DRAIN_MS: '0' })
  // No worker runs, so these wait for their outcome.
  const url = `${ingress.origin}/aps/api/v1/payments/placeOrder`
  let sent = 0
  const calls = Array.from({ length: 15 }, () =>
    signedCall(url, aPlaceOrder(), system.caller, {
      onSend: () => {
        sent += 1
      },
    }),
  )
  await expect.poll(() => sent, { timeout: 30_000 }).toBe(calls.length)
  const isEnding = async () => (await fetch(`${ingress.admin}/readyz`)).status === 503
  ingress.kill('SIGTERM')
  await expect.poll(isEnding, { interval: 1 }).toBe(true)
  ingress.kill('SIGSTOP')
  await wait(PAUSE_MS)
  ingress.kill('SIGCONT')
  expect((await Promise.all(calls)).filter(({ verified }) => !verified)).toEqual([])
  expect(await ingress.exited).toBe(0)
}, 60_000)

test.each([
  ['sends nothing', ''],
  [
    'stops in the middle of a request',
    'POST /aps/api/v1/payments/placeOrder HTTP/1.1\r\nHost: here\r\n',
  ],
])(
  'a caller that connects and %s does not keep an ingress from exiting',
  async (_how, sent) => {
    const ingress = await system.startIngress()
    const { hostname, port } = new URL(ingress.origin)
    const socket = connect(Number(port), hostname)
    const closed = once(socket, 'close')
    await once(socket, 'connect')
    socket.write(sent)
    await ingress.inquire(inquiry) // Once it is answered, what was sent before has been read.
    ingress.kill('SIGTERM')
    await closed
    expect(await ingress.exited).toBe(0)
  },
  60_000,
)
