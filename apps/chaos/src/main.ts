import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { readArguments, usage } from './options.ts'
import { excerpt, progressLine, summary } from './report.ts'
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

const { seed, minutes, rate } = argumentsOrExit()
const dir = join(root, '.chaos', `${seed}-${process.pid}`)
await mkdir(dir, { recursive: true })
const ending = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ending.abort())
console.log(
  `seed ${seed}, ${minutes} min, ${rate} new orders a second; history and logs are in ${dir}`,
)
const report = await runChaos({
  seed,
  forMs: minutes * 60_000,
  ordersPerSecond: rate,
  dir,
  signal: ending.signal,
  onProgress: (progress) => {
    if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${progressLine(progress)}`)
    else if (Math.round(progress.elapsedMs / 1_000) % 30 === 0) console.log(progressLine(progress))
  },
})
if (process.stdout.isTTY) console.log()
console.log(summary(report))
if (report.violations.length + report.processFailures.length > 0) {
  console.error(`\n${excerpt(report)}\n\nseed ${seed}; all of it is in ${dir}`)
  process.exit(1)
}
await rm(dir, { recursive: true, force: true })
process.exit() // A connection that was cut at the very end may take long to notice.
