import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { readArguments, usage } from './options.ts'
import { chaosSummary, excerpt, progressLine } from './report.ts'
import { runChaos } from './run-chaos.ts'

const root = join(import.meta.dirname, '../../..')

function argumentsOrExit() {
  try {
    const args = readArguments(process.argv.slice(2))
    if (args !== 'help') return args
    console.log(usage)
    process.exit(0)
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${usage}`)
    process.exit(2)
  }
}

const { seed, minutes, rate, topologies } = argumentsOrExit()
process.setMaxListeners(0) // Each started process adds a listener for our exit.
const ending = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ending.abort())
let failed = false
for (const topology of topologies) {
  if (ending.signal.aborted) break
  const dir = join(root, '.chaos', `${seed}-${topology}-${process.pid}`)
  await mkdir(dir, { recursive: true })
  console.log(
    `seed ${seed}, ${topology}, ${rate} new orders a second; history and logs are in ${dir}`,
  )
  const report = await runChaos({
    seed,
    topology,
    archive: true,
    events: true,
    forMs: (minutes * 60_000) / topologies.length,
    ordersPerSecond: rate,
    dir,
    signal: ending.signal,
    onProgress: (progress) => {
      if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${progressLine(progress)}`)
      else if (Math.round(progress.elapsedMs / 1_000) % 30 === 0)
        console.log(progressLine(progress))
    },
  })
  if (process.stdout.isTTY) console.log()
  console.log(chaosSummary(report))
  if (report.violations.length + report.processFailures.length === 0) {
    await rm(dir, { recursive: true, force: true })
  } else {
    failed = true
    console.error(`\n${excerpt(report)}\n\nseed ${seed}; history and logs are in ${dir}`)
  }
}
process.exit(failed ? 1 : 0) // A connection that was cut at the very end may take long to close.
