import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cold } from './benchmarks/cold.ts'
import { core } from './benchmarks/core.ts'
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
import { type Benchmark, verdictOn } from './report/metric.ts'
import { machineOf } from './test-bed/machine.ts'
import { openTestBed, type TestBed } from './test-bed/test-bed.ts'

/** In the order of the table; the two that take long stand last. */
const figures: Record<string, (testBed: TestBed) => Promise<Benchmark>> = {
  core,
  signed,
  slow,
  ingresses,
  repeats,
  cold,
  rules,
  logging,
  shards,
  slot,
  sustained,
  memory,
}

/** What is taken when nothing is chosen: in CI the one ratio that must not fall. */
const chosenBy = (only: readonly string[] | undefined, short: boolean) =>
  only ?? (short ? ['core'] : Object.keys(figures))

if (process.argv.includes('--help')) {
  console.log(usage)
  process.exit()
}
const plan = planOf(process.argv.slice(2))
const results = join(import.meta.dirname, '../../../.bench')
const testBed = await openTestBed(plan, join(results, `run-${process.pid}`))
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130)) // All we started ends with us.
process.setMaxListeners(0) // Each program we start is told when we end.
const machine = await machineOf(plan)
const found: Benchmark[] = []
for (const name of chosenBy(plan.only, plan.short)) {
  const take = figures[name]
  if (take === undefined)
    throw new Error(`there is no figure ${name}: ${Object.keys(figures).join(', ')}`)
  testBed.say(name)
  try {
    found.push(await take(testBed))
  } catch (error) {
    // The figures before and after it stand nevertheless.
    console.error(`${name} could not be taken:`, error)
    process.exitCode = 1
  }
  await writeFile(
    join(results, 'bench.json'),
    JSON.stringify({ machine, figures: found }, undefined, 2),
  )
  await writeFile(join(results, 'bench.md'), markdownOf(machine, found))
  await writeFile(join(results, 'summary.md'), summaryOf(machine, found))
}
console.log(markdownOf(machine, found))
const missed = found.flatMap(({ metrics }) =>
  metrics.filter((one) => verdictOn(one) === 'NOT reached'),
)
if (plan.short && missed.length > 0) process.exitCode = 1
process.exit() // Whatever a figure that failed has left ends with us.
