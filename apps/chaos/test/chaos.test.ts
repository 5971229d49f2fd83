import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { chaosSummary, excerpt } from '../src/report.ts'
import { runChaos } from '../src/run-chaos.ts'

const FOR_MS = 45_000
/** On a busy machine it takes longer until every kind of fault has been injected. */
const FOR_MS_MAX = 180_000

test('while everything is broken in turn, every promise is kept', {
  timeout: FOR_MS_MAX + 180_000,
}, async () => {
  const dir = await mkdtemp(join(tmpdir(), 'placeorder-chaos-'))
  const report = await runChaos({
    seed: 20_261_124,
    topology: 'single',
    archive: false,
    events: false,
    forMs: FOR_MS,
    forMsMax: FOR_MS_MAX,
    ordersPerSecond: 40,
    dir,
    signal: AbortSignal.timeout(FOR_MS_MAX + 120_000),
    onProgress: () => {},
  })
  console.log(chaosSummary(report))
  expect(excerpt(report)).toBe('')
  expect(report.orders).toBeGreaterThan(500)
  expect(report.history.faults.map(({ kind }) => kind)).toEqual(
    expect.arrayContaining(report.faultKinds),
  )
  await rm(dir, { recursive: true, force: true })
})
