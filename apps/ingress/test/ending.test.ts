import { once } from 'node:events'
import { connect } from 'node:net'
import { aPlaceOrder, openSystem, signedCall } from '@placeorder/testkit'
import { afterAll, expect, test } from 'vitest'

const system = await openSystem()
afterAll(() => system.close())

const { acquirerId, pspId, paymentId } = aPlaceOrder()
const inquiry = { acquirerId, pspId, paymentId }

test('an ingress told to end while it could not run reads and answers all that came meanwhile', async () => {
  // With no time between the signal and the close, nothing but the close itself can see to it.
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
  // Inquiries pass admission as orders do, and so many at once are more than it lets wait.
  const known = ['ORDER_NOT_EXIST', 'REQUEST_TRAFFIC_EXCEED_LIMIT']
  expect(answers.filter(({ code }) => !known.includes(code))).toEqual([])
  expect(await ingress.exited).toBe(0)
}, 60_000)

test.each([
  ['says nothing', ''],
  [
    'stops in the middle of a request',
    'POST /aps/api/v1/payments/placeOrder HTTP/1.1\r\nHost: here\r\n',
  ],
])(
  'whoever connects and %s keeps no ingress from ending cleanly',
  async (_how, said) => {
    const ingress = await system.startIngress()
    const { hostname, port } = new URL(ingress.origin)
    const socket = connect(Number(port), hostname)
    const closed = once(socket, 'close')
    await once(socket, 'connect')
    socket.write(said)
    await ingress.inquire(inquiry) // By its answer what was sent before is read.
    ingress.kill('SIGTERM')
    await closed
    expect(await ingress.exited).toBe(0)
  },
  60_000,
)
