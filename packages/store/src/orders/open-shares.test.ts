import { aPlaceOrder } from '@placeorder/testkit'
import { expect, test } from 'vitest'
import { openTestStore } from '../../test/test-store.ts'
import { orderIdOf } from '../keys.ts'
import { OpenShares } from './open-shares.ts'

const { ingress, worker, connection } = await openTestStore({ own: true })

test('the share of each client in the open orders is seen, of all ingresses together', async () => {
  const taken = async (clientId: string) => {
    const order = aPlaceOrder()
    await ingress.intake.accept({ order, clientId }, AbortSignal.timeout(5_000))
    return orderIdOf(order)
  }
  const shares = new OpenShares(connection, 1)
  const sharesOf = async () => {
    const asked = () => ['A', 'B', 'C'].map((clientId) => shares.of(clientId))
    asked()
    await shares.refresh()
    return asked()
  }
  expect(await sharesOf()).toEqual([0, 0, 0])
  const [first] = await Promise.all(['A', 'A', 'A', 'B'].map(taken))
  expect(await sharesOf()).toEqual([0.75, 0.25, 0])
  if (first) await worker.orders.conclude(first, 'SUCCESS')
  expect(await sharesOf()).toEqual([expect.closeTo(2 / 3), expect.closeTo(1 / 3), 0])
})
