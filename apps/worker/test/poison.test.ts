import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openWorkerStore, orderIdOf } from '@placeorder/store'
import { aPlaceOrder, openSystem } from '@placeorder/testkit'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'

/** About how many orders share a job with the one that kills. */
const NEIGHBOURS = 20

test('an order that kills its worker kills two, and its neighbours are placed', {
  timeout: 180_000,
}, async () => {
  const system = await openSystem()
  onTestFinished(() => system.close())
  const policyFile = join(system.dir, 'policy.json')
  const policy = z.looseObject({}).parse(JSON.parse(await readFile(policyFile, 'utf8')))
  const checks = [{ name: 'own', module: './own.mjs', timeoutMs: 500, after: 'merchant' }]
  await writeFile(policyFile, JSON.stringify({ ...policy, checks }))
  const text = `export default ({ order }) => {
    if (order.passThroughInfo === 'deadly') process.abort()
    return 'SUCCESS'
  }`
  await writeFile(join(system.dir, 'own.mjs'), text)

  let deaths = 0
  let isOver = false
  const keepWorking = async () => {
    while (!isOver) {
      const worker = await system.startWorker()
      await worker.exited
      if (!isOver) deaths += 1
    }
  }
  const ingress = await system.startIngress()
  const deadly = aPlaceOrder({ passThroughInfo: 'deadly' })
  const neighbours = Array.from({ length: NEIGHBOURS }, (_, n) =>
    aPlaceOrder({ customerId: `C-${n}` }),
  )
  const placing = [...neighbours, deadly].map((order) => ingress.place(order))
  const codes = (await Promise.all(placing)).map(({ code }) => code)
  // No worker runs yet: they share a job or two.
  expect(new Set(codes)).toEqual(new Set(['PAYMENT_IN_PROCESS']))
  const working = keepWorking()
  const store = await openWorkerStore({ address: system.address, shards: 1, onFault: () => {} })
  onTestFinished(() => store.close())
  const outcomes = async () =>
    new Set(await Promise.all(neighbours.map((order) => store.orders.outcomeOf(orderIdOf(order)))))
  await expect.poll(outcomes, { timeout: 90_000 }).toEqual(new Set(['SUCCESS']))
  const jobOf = async () => (await store.orders.jobsOf(0, [orderIdOf(deadly)]))[0]
  await expect.poll(jobOf, { timeout: 90_000 }).toBe('deferred:isolated')
  // It is judged again, and again no worker dies of it.
  await expect.poll(jobOf, { timeout: 90_000 }).not.toBe('deferred:isolated')
  await expect.poll(jobOf, { timeout: 90_000 }).toBe('deferred:isolated')
  isOver = true
  expect(deaths).toBe(2)
  await system.close()
  await working.catch(() => {})
})
