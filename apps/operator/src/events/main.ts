import { addressOf, readEnvironment, redisEnvironment, withStandalone } from '@placeorder/config'
import { openOperatorStore } from '@placeorder/store'
import { z } from 'zod'
import { runCommand, warnWhenSlow } from '../command-line.ts'
import { runEvents } from './command.ts'

const { stdout: out, stderr: err } = process
const open = async () => {
  const env = readEnvironment(
    z.object(redisEnvironment),
    withStandalone(process.env, (line) => err.write(`${line}\n`)),
  )
  // The command that fails says so.
  const options = { address: addressOf(env), shards: env.SHARDS, onFault: () => {} }
  return warnWhenSlow(openOperatorStore(options), err)
}
const args = process.argv.slice(2)
process.exitCode = await runCommand(() => runEvents(args, { open, out, err }), err)
