import { readdir, readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { aPlaceOrder, openSystem } from '@placeorder/testkit'
import { afterAll, expect, test } from 'vitest'

const system = await openSystem()
afterAll(() => system.close())

test('an ingress signs with a thread for each core, four at most', async () => {
  const ingress = await system.startIngress()
  const { acquirerId, pspId, paymentId } = aPlaceOrder()
  await ingress.inquire({ acquirerId, pspId, paymentId })
  const tasks = `/proc/${ingress.pid}/task`
  const names = await Promise.all(
    (await readdir(tasks)).map((task) => readFile(`${tasks}/${task}/comm`, 'utf8')),
  )
  const threads = names.filter((name) => name.trim() === 'libuv-worker')
  expect(threads).toHaveLength(Math.min(availableParallelism(), 4))
})
