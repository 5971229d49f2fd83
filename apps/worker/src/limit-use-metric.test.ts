import type { LimitUse } from '@placeorder/decision'
import { openMetrics } from '@placeorder/telemetry'
import { expect, test } from 'vitest'
import { LimitUseMetric } from './limit-use-metric.ts'

const today = '20260301'
const useOf = (changes: Partial<LimitUse> = {}): LimitUse => ({
  subject: 'merchant',
  id: 'M1',
  currency: 'CNY',
  day: today,
  amount: 100n,
  amountMax: 1_000n,
  countMax: 10,
  ...changes,
})

/** Reads the gauge after limit uses were noted; `used` is what each subject has used. */
function limitsUsed(used: Record<string, { amount: bigint; count: bigint }>) {
  const { limitUsed } = openMetrics('worker')
  const asked: string[][] = []
  const usage = {
    usedOf: async (limitUses: Pick<LimitUse, 'id'>[]) => {
      asked.push(limitUses.map(({ id }) => id))
      return limitUses.map(({ id }) => used[id] ?? { amount: 0n, count: 0n })
    },
  }
  const use = new LimitUseMetric(usage, limitUsed)
  const ratios = async () => {
    const { values } = await limitUsed.get()
    return Object.fromEntries(values.map(({ labels, value }) => [labels.kind, value]))
  }
  return { use, ratios, asked }
}

test('the most used limit of each kind counts, by its amount or its count', async () => {
  const { use, ratios } = limitsUsed({
    M1: { amount: 300n, count: 1n },
    M2: { amount: 900n, count: 2n },
    C1: { amount: 10n, count: 7n },
  })
  for (const id of ['M1', 'M2']) use.note(useOf({ id }))
  use.note(useOf({ subject: 'customer', id: 'C1' }))
  await use.refresh(today)
  expect(await ratios()).toEqual({ merchantDay: 0.9, customerDay: 0.7 })
})

test('it stays until the day is over, and is read once per round', async () => {
  const { use, ratios, asked } = limitsUsed({ M1: { amount: 500n, count: 1n } })
  for (let i = 0; i < 50; i += 1) use.note(useOf())
  await use.refresh(today)
  await use.refresh(today)
  expect(await ratios()).toMatchObject({ merchantDay: 0.5 })
  expect(asked).toEqual([['M1'], []])
  await use.refresh('20260302')
  expect(await ratios()).toMatchObject({ merchantDay: 0 })
})

test('amounts past the safe integers are still a share', async () => {
  const amountMax = 10n ** 18n
  const { use, ratios } = limitsUsed({ M1: { amount: amountMax - 1n, count: 1n } })
  use.note(useOf({ amountMax, countMax: undefined }))
  await use.refresh(today)
  expect(await ratios()).toMatchObject({ merchantDay: 0.9999 })
})

test('of too many limits, the newest are read', async () => {
  const { use, asked } = limitsUsed({})
  for (let i = 0; i < 5_000; i += 1) use.note(useOf({ id: `M${i}` }))
  await use.refresh(today)
  expect(asked[0]).toHaveLength(1_000)
  expect(asked[0]).toContain('M4999')
})
