import { parseArgs } from 'node:util'
import { readEnvironment } from '@placeorder/config'
import { StandaloneEnvironment } from './config.ts'
import { runAll } from './run-all.ts'

const { values } = parseArgs({ options: { once: { type: 'boolean', default: false } } })
const ending = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (ending.signal.aborted) process.exit(1) // The second time: at once.
    ending.abort()
  })
}
try {
  const environment = readEnvironment(StandaloneEnvironment, process.env)
  process.exitCode = await runAll(
    { environment, passed: process.env, once: values.once },
    ending.signal,
  )
} catch (error) {
  console.error(`\n${error instanceof Error ? error.message : error}`)
  process.exitCode = 1
}
