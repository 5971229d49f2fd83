import { hostname, userInfo } from 'node:os'
import { openArchive } from '@placeorder/archive'
import { addressOf, readEnvironment, withStandalone } from '@placeorder/config'
import { openOperatorStore } from '@placeorder/store'
import { runCommand, warnWhenSlow } from '../command-line.ts'
import { OperatorEnvironment } from '../config.ts'
import { runOrders } from './command.ts'

const { stdout: out, stderr: err } = process
const read = (print: (line: string) => unknown) =>
  readEnvironment(OperatorEnvironment, withStandalone(process.env, print))
const open = async () => {
  const env = read((line) => err.write(`${line}\n`))
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
const archiveIfSet = () => {
  const { ARCHIVE_URL: url } = read(() => {})
  return url === undefined ? undefined : openArchive({ url })
}
const deps = { open, openArchive: archiveIfSet, out, err, who }
process.exitCode = await runCommand(() => runOrders(process.argv.slice(2), deps), err)
