import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { chaosSummary, excerpt } from '../src/report.ts'
import { runChaos } from '../src/run-chaos.ts'

const FOR_MS = 30_000

test('while archivers and PostgreSQL die, orders are forgotten and answered as before', {
  timeout: FOR_MS + 480_000,
}, async () => {
  const dir = await mkdtemp(join(tmpdir(), 'placeorder-chaos-'))
  const report = await runChaos({
    seed: 20_261_130,
    topology: 'single',
    archive: true,
    events: false,
    inject: (kind) => /archiver|PostgreSQL|kill a worker/.test(kind),
    forMs: FOR_MS,
    ordersPerSecond: 40,
    dir,
    signal: AbortSignal.timeout(FOR_MS + 420_000),
    onProgress: () => {},
  })
  console.log(chaosSummary(report))
  expect(excerpt(report)).toBe('')
  expect(report.orders).toBeGreaterThan(100)
  expect(report.forgotten).toBeGreaterThan(100)
  expect(report.answersFromArchive).toBeGreaterThan(20)
  expect(report.history.faults.length).toBeGreaterThanOrEqual(4)
  await rm(dir, { recursive: true, force: true })
})
