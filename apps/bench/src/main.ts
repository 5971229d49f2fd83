import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { archiveAway } from './benchmarks/archive/away.ts'
import { archiveCommands } from './benchmarks/archive/commands.ts'
import { archiveCopying } from './benchmarks/archive/copying.ts'
import { archiveLookUps } from './benchmarks/archive/look-ups.ts'
import { archiveRepeats } from './benchmarks/archive/repeats.ts'
import { archiveSustained } from './benchmarks/archive/sustained.ts'
import { archiveThroughput } from './benchmarks/archive/throughput.ts'
import { cold } from './benchmarks/cold.ts'
import { core } from './benchmarks/core.ts'
import { curve } from './benchmarks/curve.ts'
import { events, eventsWaiting } from './benchmarks/events.ts'
import { idle } from './benchmarks/idle.ts'
import { ingresses } from './benchmarks/ingresses.ts'
import { logging } from './benchmarks/logging.ts'
import { memory } from './benchmarks/memory.ts'
import { repeats } from './benchmarks/repeats.ts'
import { rules } from './benchmarks/rules.ts'
import { shards } from './benchmarks/shards.ts'
import { signed } from './benchmarks/signed.ts'
import { slot } from './benchmarks/slot.ts'
import { slow } from './benchmarks/slow.ts'
import { sustained } from './benchmarks/sustained.ts'
import { planOf, usage } from './options.ts'
import { markdownOf, summaryOf } from './report/markdown.ts'
import { type Benchmark, boundVerdict } from './report/metric.ts'
import { machineOf } from './test-bed/machine.ts'
import { openTestBed, type TestBed } from './test-bed/test-bed.ts'

/** In the order of the report; those that take long are last. */
const benchmarks: Record<string, (testBed: TestBed) => Promise<Benchmark>> = {
  core,
  signed,
  curve,
  slow,
  ingresses,
  repeats,
  cold,
  idle,
  rules,
  logging,
  shards,
  slot,
  'archive-commands': archiveCommands,
  'archive-throughput': archiveThroughput,
  'archive-copying': archiveCopying,
  'archive-repeats': archiveRepeats,
  'archive-away': archiveAway,
  'archive-look-ups': archiveLookUps,
  events,
  'events-waiting': eventsWaiting,
  sustained,
  'archive-sustained': archiveSustained,
  memory,
}

/** What runs by default: everything, or in CI the one ratio that must not fall. */
const chosenBy = (only: readonly string[] | undefined, short: boolean) =>
  only ?? (short ? ['core'] : Object.keys(benchmarks))

if (process.argv.includes('--help')) {
  console.log(usage)
  process.exit()
}
const plan = planOf(process.argv.slice(2))
const outputDir = join(import.meta.dirname, '../../../.bench')
const testBed = await openTestBed(plan, join(outputDir, `run-${process.pid}`))
// All programs that were started end with this process.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
process.setMaxListeners(0) // Each started program adds a listener for our exit.
const machine = await machineOf(plan)
const results: Benchmark[] = []
for (const name of chosenBy(plan.only, plan.short)) {
  const run = benchmarks[name]
  if (run === undefined)
    throw new Error(`there is no benchmark ${name}: ${Object.keys(benchmarks).join(', ')}`)
  testBed.say(name)
  try {
    results.push(await run(testBed))
  } catch (error) {
    // The other benchmarks are reported nevertheless.
    console.error(`benchmark ${name} failed:`, error)
    process.exitCode = 1
  }
  await writeFile(
    join(outputDir, 'bench.json'),
    JSON.stringify({ machine, benchmarks: results }, undefined, 2),
  )
  await writeFile(join(outputDir, 'bench.md'), markdownOf(machine, results))
  await writeFile(join(outputDir, 'summary.md'), summaryOf(machine, results))
}
console.log(markdownOf(machine, results))
const missed = results.flatMap(({ metrics }) =>
  metrics.filter((one) => boundVerdict(one) === 'NOT reached'),
)
if (plan.short && missed.length > 0) process.exitCode = 1
process.exit() // Ends whatever a failed benchmark left running.
