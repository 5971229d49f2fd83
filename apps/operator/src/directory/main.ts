import { addressOf, ConfigFault, readEnvironment, redisEnvironment } from '@placeorder/config'
import { openDirectory, ShardsFault } from '@placeorder/store'
import { z } from 'zod'
import { exit, runDirectory } from './command.ts'

/** After this many ms without Redis, who waits is told why. */
const PATIENCE_MS = 1_000

const open = async () => {
  const env = readEnvironment(z.object(redisEnvironment), process.env)
  const waiting = setTimeout(() => console.error('waiting for Redis: is REDIS_URL right?'), PATIENCE_MS)
  return openDirectory(addressOf(env), env.SHARDS).finally(() => clearTimeout(waiting))
}

try {
  process.exitCode = await runDirectory(process.argv.slice(2), {
    open,
    out: process.stdout,
    err: process.stderr,
  })
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = error instanceof ConfigFault || error instanceof ShardsFault ? exit.usage : exit.missed
}
