import { parseArgs } from 'node:util'
import { readEnvironment } from '@placeorder/config'
import { startupFaults } from '@placeorder/telemetry'
import { StandaloneEnvironment } from './config.ts'
import { runAll } from './run-all.ts'

/**
 * A signal within this time (ms) is a duplicate: a terminal sends Ctrl-C to npm and to us, and npm
 * passes it on.
 */
const DUPLICATE_MS = 1_000

/** How often to check whether npm still runs (ms). */
const LOOK_MS = 500

const help = `npm start [-- options]

Runs all of placeorder on this machine: a Redis, a PostgreSQL, an ingress, a worker, an archiver,
and a notifier if config/events.json has sinks, or EVENTS_FILE or EVENTS_TOKEN is set. It places the
order of placeOrder.txt, and keeps running.

  --once   exit after the first order
  --help   print this help

PORT=<port> sets another port than 3000, REDIS_URL=redis://… uses another Redis,
ARCHIVE_URL=postgres://… another PostgreSQL, DATA_DIR=<folder> stores keys and orders in another
folder than .data. docs/configuration.md lists all variables.

Exits with 0 when it is stopped (Ctrl-C, SIGTERM, SIGHUP), 1 on an error, 2 for invalid arguments.
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
process.umask(0o077) // Keys and orders are readable by their owner alone.
// Writing to a closed terminal fails; everything still ends in order.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
const ending = new AbortController()
let endingSince = Number.POSITIVE_INFINITY
const end = () => {
  // A second signal: exit at once.
  if (performance.now() - endingSince > DUPLICATE_MS) process.exit(1)
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
process.exit() // Does not wait for what was still starting.
