import { hostname, userInfo } from 'node:os'
import { addressOf, readEnvironment, redisEnvironment, withStandalone } from '@placeorder/config'
import { openOperatorStore } from '@placeorder/store'
import { z } from 'zod'
import { runCommand, warnWhenSlow } from '../command-line.ts'
import { runOrders } from './command.ts'

const { stdout: out, stderr: err } = process
const open = async () => {
  const env = readEnvironment(
    z.object(redisEnvironment),
    withStandalone(process.env, (line) => err.write(`${line}\n`)),
  )
  // The failing command reports it.
  return warnWhenSlow(
    openOperatorStore({ address: addressOf(env), shards: env.SHARDS, onFault: () => {} }),
    err,
  )
}
/** User and host, as the system names them; a container's user may have only a number. */
const who = () => {
  try {
    return `${userInfo().username}@${hostname()}`
  } catch {
    return `uid ${process.getuid?.()}@${hostname()}`
  }
}
const deps = { open, out, err, who }
process.exitCode = await runCommand(() => runOrders(process.argv.slice(2), deps), err)
