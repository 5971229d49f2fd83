import { aPlaceOrder } from '@placeorder/testkit'
import { expect, test, vi } from 'vitest'
import { openReplicatedSystem, openSink, untilHeldBack, within } from './replicated.ts'

vi.setConfig({ testTimeout: 120_000 })

const { conclude, notify, link, failOver, addReplica } = await openReplicatedSystem()

/** A notifier with a sink whose first event a replica had. */
async function notified() {
  const { receiver, sink } = await openSink()
  const { noted } = await notify([sink])
  const [first] = await conclude()
  await vi.waitFor(() => expect(receiver.delivered()).toContain(first), within)
  return { receiver, noted }
}

test('what a replica that is cut off lacks is delivered once it is back', async () => {
  const { receiver, noted } = await notified()
  link.stall()
  const orderIds = await conclude([aPlaceOrder(), aPlaceOrder()])
  await untilHeldBack(noted)
  expect(receiver.requests).toHaveLength(1)
  await link.heal()
  await vi.waitFor(() => {
    for (const orderId of orderIds) expect(receiver.delivered()).toContain(orderId)
  }, within)
})

test('what a failover takes back was not delivered, but what is concluded after it', async () => {
  const { receiver, noted } = await notified()
  link.blackHole()
  const order = aPlaceOrder()
  await conclude([order], 'SUCCESS')
  await untilHeldBack(noted)
  await failOver()
  await vi.waitFor(() => conclude([order], 'RISK_REJECT'), within)
  await addReplica()
  const typesOf = () =>
    receiver.requests
      .flat()
      .filter(({ subject }) => subject === order.paymentId)
      .map(({ type }) => type)
  await vi.waitFor(() => expect(typesOf()).toContain('order.refused'), within)
  expect(typesOf()).not.toContain('order.placed')
})
