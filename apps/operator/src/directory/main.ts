import { addressOf, readEnvironment, redisEnvironment, withStandalone } from '@placeorder/config'
import { openDirectory } from '@placeorder/store'
import { z } from 'zod'
import { runCommand, warnWhenSlow } from '../command-line.ts'
import { runDirectory } from './command.ts'

const { stdin: input, stdout: out, stderr: err } = process
const open = async () => {
  const env = readEnvironment(
    z.object(redisEnvironment),
    withStandalone(process.env, (line) => err.write(`${line}\n`)),
  )
  return warnWhenSlow(openDirectory(addressOf(env), env.SHARDS), err)
}
process.exitCode = await runCommand(
  () => runDirectory(process.argv.slice(2), { open, out, err, input }),
  err,
)
