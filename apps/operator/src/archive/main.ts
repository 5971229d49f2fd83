import { openArchive } from '@placeorder/archive'
import { addressOf, ConfigFault, readEnvironment, withStandalone } from '@placeorder/config'
import { openOperatorStore, openReshardStore } from '@placeorder/store'
import { runCommand, warnWhenSlow } from '../command-line.ts'
import { OperatorEnvironment } from '../config.ts'
import { runArchive } from './command.ts'

const { stdout: out, stderr: err } = process
const read = () => {
  const env = readEnvironment(
    OperatorEnvironment,
    withStandalone(process.env, (line) => err.write(`${line}\n`)),
  )
  const { ARCHIVE_URL: url, REQUESTS_KEEP_MONTHS: requestsKeepMonths } = env
  if (url === undefined)
    throw new ConfigFault([
      'ARCHIVE_URL: is not set: name the PostgreSQL that orders are copied to',
    ])
  return { env, url, requestsKeepMonths }
}
const open = async () => {
  const { env, ...archive } = read()
  // The command that fails says so.
  const options = { address: addressOf(env), shards: env.SHARDS, onFault: () => {} }
  const store = await warnWhenSlow(openOperatorStore(options), err)
  return { store, archive: openArchive({ url: archive.url }), ...archive }
}
const openToReshard = async () => {
  const { env, url } = read()
  const options = { address: addressOf(env), onFault: () => {} }
  const store = await warnWhenSlow(openReshardStore(options), err)
  return { store, archive: openArchive({ url }) }
}
const args = process.argv.slice(2)
const deps = { read, open, openToReshard, out, err }
process.exitCode = await runCommand(() => runArchive(args, deps), err)
