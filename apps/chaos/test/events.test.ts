import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { chaosSummary, excerpt } from '../src/report.ts'
import { runChaos } from '../src/run-chaos.ts'

const FOR_MS = 40_000
/** On a busy machine it takes longer until every kind of fault has been injected. */
const FOR_MS_MAX = 180_000

test('while notifiers die and receivers fail, every outcome reaches every sink', {
  timeout: FOR_MS_MAX + 360_000,
}, async () => {
  const dir = await mkdtemp(join(tmpdir(), 'placeorder-chaos-'))
  const report = await runChaos({
    seed: 20_261_201,
    topology: 'single',
    archive: false,
    events: true,
    inject: (kind) => /notifier|receiver|sink|kill Redis|cut in an answer/.test(kind),
    forMs: FOR_MS,
    forMsMax: FOR_MS_MAX,
    ordersPerSecond: 40,
    dir,
    signal: AbortSignal.timeout(FOR_MS_MAX + 300_000),
    onProgress: () => {},
  })
  console.log(chaosSummary(report))
  expect(excerpt(report)).toBe('')
  expect(report.orders).toBeGreaterThan(100)
  expect(report.history.faults.map(({ kind }) => kind)).toEqual(
    expect.arrayContaining(report.faultKinds),
  )
  await rm(dir, { recursive: true, force: true })
})
