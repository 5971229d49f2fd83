import type { DurabilitySource } from '@placeorder/telemetry'
import { afterEach, expect, test } from 'vitest'
import { Deadlines } from './deadlines.ts'
import { NewOrders } from './new-orders.ts'

type Report = Awaited<ReturnType<DurabilitySource['report']>>
const fine: Report = {
  faults: [],
  unseen: [],
  assumed: [],
  unable: [],
  warnings: [],
  memoryUsed: undefined,
}
const opened: NewOrders[] = []
afterEach(() => {
  for (const one of opened.splice(0)) one.close()
})

/** Opens NewOrders on a Redis with this report, and collects the lines logged. */
function newOrdersOn(report: () => Promise<Partial<Report>>, mode: 'strict' | 'relaxed') {
  const lines: string[] = []
  const newOrders = new NewOrders({
    durability: { report: async () => ({ ...fine, ...(await report()) }) },
    finder: { find: async () => undefined },
    mode,
    deadlines: new Deadlines(),
    waitMs: 1_000,
    log: { error: (...line: unknown[]) => lines.push(String(line[1])), info: () => {} },
  })
  opened.push(newOrders)
  return { newOrders, lines }
}

test.each([
  ['strict', 'is durable', {}, undefined],
  ['strict', 'is known not to be durable', { faults: ['no file'] }, 'no new orders: no file'],
  ['strict', 'hides its configuration', { assumed: ['always'] }, undefined],
  ['strict', 'hides everything', { unseen: ['allow +info'] }, undefined],
  ['strict', 'is a replica', { unable: ['a replica'] }, 'no new orders: a replica'],
  ['relaxed', 'is known not to be durable', { faults: ['no file'] }, undefined],
  ['relaxed', 'is full', { unable: ['full'] }, 'no new orders: full'],
] as const)('%s: new orders on a Redis that %s', async (mode, _name, known, refusal) => {
  const texts = Object.fromEntries(Object.entries(known).map(([name, all]) => [name, [...all]]))
  const { newOrders } = newOrdersOn(async () => texts, mode)
  await newOrders.checkRedis()
  expect(await newOrders.refusalOf({ acquirerId: 'A-1', paymentId: 'P-1' })).toBe(refusal)
})

test('the last check stands while Redis does not answer, and is logged once', async () => {
  const reports = [{ faults: ['no file'] }, new Error('away'), { faults: ['no file'] }, {}]
  const next = async () => {
    const report = reports.shift() ?? {}
    if (report instanceof Error) throw report
    return report
  }
  const { newOrders, lines } = newOrdersOn(next, 'strict')
  for (let round = 0; round < 3; round += 1) {
    await newOrders.checkRedis()
    newOrders.close()
    expect(await newOrders.refusalOf({ acquirerId: 'A-1', paymentId: 'P-1' })).toBe(
      'no new orders: no file',
    )
  }
  expect(lines).toHaveLength(1)
  await newOrders.checkRedis()
  expect(await newOrders.refusalOf({ acquirerId: 'A-1', paymentId: 'P-1' })).toBeUndefined()
})
