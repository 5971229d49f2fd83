import { parseArgs } from 'node:util'
import { readEnvironment } from '@placeorder/config'
import { startupFaults } from '@placeorder/telemetry'
import { StandaloneEnvironment } from './config.ts'
import { runAll } from './run-all.ts'

/** A signal within this time (ms) is the same one again: a terminal sends Ctrl-C to npm and to us, and npm passes its own on. */
const TWIN_MS = 1_000

/** How often we look whether npm is still there (ms). */
const LOOK_MS = 500

const help = `npm start [-- options]

Runs all of placeorder on this machine: a Redis, an ingress, a worker; places the order of placeOrder.txt, and stays up.

  --once   end after the first order
  --help   this text

PORT=<port> takes another port than 3000, REDIS_URL=redis://… another Redis, DATA_DIR=<folder> another folder than .data for
keys and orders. docs/configuration.md names the other variables.

Exits 0 when it was ended in order (Ctrl-C, SIGTERM, SIGHUP), 1 when something kept it from running, 2 when the arguments
make no sense.
`

function readFlags() {
  const options = {
    once: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  } as const
  try {
    return parseArgs({ options }).values
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${help}`)
    return process.exit(2)
  }
}

const { once, help: asksForHelp } = readFlags()
if (asksForHelp) {
  process.stdout.write(help)
  process.exit(0)
}
process.umask(0o077) // Keys and orders are their owner's alone, whoever of us writes them.
// A terminal that is closed takes no more words; what runs still ends in order.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
const ending = new AbortController()
let endingSince = Number.POSITIVE_INFINITY
const end = () => {
  if (performance.now() - endingSince > TWIN_MS) process.exit(1) // The second time: at once.
  if (!ending.signal.aborted) endingSince = performance.now()
  ending.abort()
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, end)
const { ppid } = process
if (process.env.npm_lifecycle_event === 'start')
  setInterval(() => process.ppid !== ppid && ending.abort(), LOOK_MS).unref()
try {
  const environment = readEnvironment(StandaloneEnvironment, process.env)
  process.exitCode = await runAll({ environment, passed: process.env, once }, ending.signal)
} catch (error) {
  if (!ending.signal.aborted) {
    console.error(`\n${startupFaults(error).join('\n')}`)
    process.exitCode = 1
  }
}
process.exit() // What was on its way when we were ended is not waited for.
