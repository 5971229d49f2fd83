import { openArchive } from '@placeorder/archive'
import { addressOf, readEnvironment, withStandalone } from '@placeorder/config'
import { openOperatorStore } from '@placeorder/store'
import { runCommand, warnWhenSlow } from '../command-line.ts'
import { OperatorEnvironment } from '../config.ts'
import { runEvents } from './command.ts'
import { readSinkFile } from './sink-file.ts'

const { stdout: out, stderr: err } = process
const read = (print: (line: string) => unknown) =>
  readEnvironment(OperatorEnvironment, withStandalone(process.env, print))
const open = async () => {
  const env = read((line) => err.write(`${line}\n`))
  // The command that fails says so.
  const options = { address: addressOf(env), shards: env.SHARDS, onFault: () => {} }
  return warnWhenSlow(openOperatorStore(options), err)
}
const archiveIfSet = () => {
  const { ARCHIVE_URL: url } = read(() => {})
  return url === undefined ? undefined : openArchive({ url })
}
const readSinks = () => readSinkFile(read(() => {}).EVENTS_FILE)
const deps = { open, openArchive: archiveIfSet, readSinks, out, err }
process.exitCode = await runCommand(() => runEvents(process.argv.slice(2), deps), err)
