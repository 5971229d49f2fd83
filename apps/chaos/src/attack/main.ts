import { attackUsage, readAttackArguments } from './options.ts'
import { attackSummary, sum } from './report.ts'
import { runAttack } from './run-attack.ts'

function argumentsOrExit() {
  try {
    const args = readAttackArguments(process.argv.slice(2))
    if (args !== 'help') return args
    console.log(attackUsage)
    process.exit(0)
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${attackUsage}`)
    process.exit(2)
  }
}

const { seed, minutes, only } = argumentsOrExit()
const ending = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ending.abort())
console.log(`seed ${seed}`)
let seconds = 0
const report = await runAttack({
  seed,
  forMs: minutes * 60_000,
  only,
  signal: ending.signal,
  onProgress: ({ connections, requests, faults }) => {
    const sent = `${sum(requests)} requests over ${connections} connections`
    const line = `${sent}, ${faults.length} faults`
    if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${line}`)
    else if (seconds % 30 === 0) console.log(line)
    seconds += 1
  },
})
if (process.stdout.isTTY) console.log()
console.log(attackSummary(report))
process.exit(report.faults.length === 0 ? 0 : 1)
