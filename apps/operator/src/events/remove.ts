import { exitCode } from '../command-line.ts'
import type { EventsDeps, OneSink } from './command.ts'
import { eachJobs, shardsOf } from './lists.ts'

/**
 * Removes a sink that is to be no more with all that waits for it, so that the outbox is not kept
 * for it. One that is in the file would be begun anew, without what waited.
 */
export async function removeSink(
  { store, sink }: OneSink,
  yes: boolean,
  { readSinks, out, err }: Pick<EventsDeps, 'readSinks' | 'out' | 'err'>,
): Promise<number> {
  const { path, sinks } = await readSinks()
  if (sinks?.some(({ name }) => name === sink)) {
    err.write(`nothing was done: ${sink} is in ${path}; take it out there first\n`)
    return exitCode.missed
  }
  if (!yes) {
    const counts = await eachJobs({ store, sink }, (jobs) => jobs.counts())
    const sum = (name: 'waiting' | 'dead') => counts.reduce((all, one) => all + one[name], 0)
    err.write(
      `nothing was done: ${sink} would not get what waits in the outbox, nor ${sum('waiting')} ` +
        `events that are tried again and ${sum('dead')} dead letters; ` +
        'to remove it, repeat the command with --yes\n',
    )
    return exitCode.missed
  }
  await eachJobs({ store, sink }, (jobs) => jobs.remove())
  await store.sinkStates.enable(sink)
  await store.sinkStates.noteBacklog(sink, undefined)
  // The groups go last: with them it is listed, so that a command that failed can be repeated.
  for (const shard of shardsOf(store)) await store.streams.remove(shard, sink)
  out.write(`${sink} is removed; a notifier that still has it in its events.json begins it anew\n`)
  return exitCode.good
}
