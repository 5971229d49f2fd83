import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { chaosSummary, excerpt } from '../src/report.ts'
import { runChaos } from '../src/run-chaos.ts'

const FOR_MS = 45_000

test('while everything is broken in turn, every promise is kept', {
  timeout: FOR_MS + 180_000,
}, async () => {
  const dir = await mkdtemp(join(tmpdir(), 'placeorder-chaos-'))
  const report = await runChaos({
    seed: 20_261_124,
    topology: 'single',
    archive: false,
    forMs: FOR_MS,
    ordersPerSecond: 40,
    dir,
    signal: AbortSignal.timeout(FOR_MS + 120_000),
    onProgress: () => {},
  })
  console.log(chaosSummary(report))
  expect(excerpt(report)).toBe('')
  expect(report.orders).toBeGreaterThan(500)
  const seen = new Set(report.history.faults.map(({ kind }) => kind))
  expect(report.faultKinds.filter((kind) => !seen.has(kind))).toEqual([])
  await rm(dir, { recursive: true, force: true })
})
