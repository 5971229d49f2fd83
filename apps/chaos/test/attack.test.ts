import { expect, test } from 'vitest'
import { cases } from '../src/attack/cases.ts'
import { attackSummary } from '../src/attack/report.ts'
import { runAttack } from '../src/attack/run-attack.ts'

test('strangers and clients send anything for some seconds, and every promise is kept', {
  timeout: 180_000,
}, async () => {
  const report = await runAttack({
    seed: 20_261_130,
    forMs: 10_000,
    only: undefined,
    signal: AbortSignal.timeout(120_000),
    onProgress: () => {},
  })
  console.log(attackSummary(report))
  expect(report.faults).toEqual([])
  expect(report.cases).toHaveLength(cases.length)
  expect(report.connections).toBeGreaterThan(50)
})
