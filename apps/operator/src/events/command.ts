import type { Archive } from '@placeorder/archive'
import type { OperatorStore } from '@placeorder/store'
import { type CommandLine, exitCode, readWords, type Screen } from '../command-line.ts'
import { allSinks, showDead, showDeliveries, showSinks } from './lists.ts'
import { removeSink } from './remove.ts'
import { replayBetween, replayDead, replayOrders } from './replay.ts'
import type { SinkFile } from './sink-file.ts'
import { testSink } from './test-sink.ts'

export type EventsDeps = {
  /** Opens the store; only commands that use it wait for Redis. */
  open: () => Promise<OperatorStore>
  /** Opens the archive; undefined where there is none. */
  openArchive: () => Archive | undefined
  /** Reads EVENTS_FILE as it is now. */
  readSinks: () => Promise<SinkFile>
  out: Screen
  err: Screen
}

/** The sink that a command is about. */
export type OneSink = { store: OperatorStore; sink: string }

const help = `events <command>

Looks at the sinks that events are delivered to, and has events sent again.

  test <sink>                sends it a test event from this machine, as EVENTS_FILE says, and shows
                             what it answered; its type is placeorder.test
  sinks                      how every sink stands, and by shard what waits for it
  deliveries <sink>          what failed and is tried again, and the newest sendings
  dead <sink>                its dead letters, with the reasons
  replay <sink> --dead       tries its dead letters again
  replay <sink> --id <paymentId>…
                             sends the events of orders again, which keep their ids
  replay <sink> --since <time> [--until <time>]
                             has the notifiers send what was concluded then, out of the archive;
                             without ARCHIVE_URL what Redis still keeps
  remove <sink> --yes        removes it with all that waits for it, once it is not in EVENTS_FILE
  --help                     this text

A time is such as 2026-03-14T09:00:00Z. EVENTS_FILE, ARCHIVE_URL, Redis and SHARDS are read from the
environment.

Exits 0 when it was done; 1 when there is no such sink or order, the sink did not take the test, or
--yes is missing; 2 when the arguments make no sense.
`

type Command = (about: OneSink, deps: EventsDeps) => Promise<number>

/**
 * Runs the command that the arguments name, and resolves with the exit code. What the store fails
 * of is thrown.
 */
export async function runEvents(args: string[], deps: EventsDeps): Promise<number> {
  const line = readWords(args, ['dead', 'yes'], ['id', 'since', 'until'])
  if (line.asksForHelp) {
    deps.out.write(help)
    return exitCode.good
  }
  const [verb, sink, ...more] = line.words ?? []
  const given = [...line.flags, ...line.values.keys()].sort().join()
  if (verb === 'test' && sink !== undefined && more.length === 0 && given === '')
    return testSink(sink, deps)
  if (verb === 'sinks' && sink === undefined && given === '')
    return withStore(deps, (store) => showSinks(store, deps))
  const command = commandOf(line, given)
  if (command === undefined || sink === undefined) {
    const unknown = args.length === 0 ? '' : `I do not know what to do with: ${args.join(' ')}\n\n`
    deps.err.write(`${unknown}${help}`)
    return exitCode.usage
  }
  return withStore(deps, async (store) => {
    if ((await allSinks(store)).includes(sink)) return command({ store, sink }, deps)
    deps.err.write(`Redis knows no sink ${sink}: npm run events -- sinks lists them\n`)
    return exitCode.missed
  })
}

async function withStore(
  { open }: EventsDeps,
  body: (store: OperatorStore) => Promise<number>,
): Promise<number> {
  const store = await open()
  try {
    return await body(store)
  } finally {
    await store.close()
  }
}

/** The command about one sink that is asked for; undefined unless its options fit. */
function commandOf(line: CommandLine, given: string): Command | undefined {
  const [verb, sink, ...more] = line.words ?? []
  if (verb === 'replay' && sink !== 'pull') return replayOf(line, given)
  if (more.length > 0) return undefined
  if (verb === 'remove' && (given === '' || given === 'yes'))
    return (about, deps) => removeSink(about, given === 'yes', deps)
  if (given !== '') return undefined
  if (verb === 'deliveries') return showDeliveries
  return verb === 'dead' ? showDead : undefined
}

/** Those who pull are sent nothing: they ask with `since`. */
function replayOf({ words = [], values }: CommandLine, given: string): Command | undefined {
  const [, , ...more] = words
  const id = values.get('id')
  if (given === 'id' && id !== undefined)
    return (about, deps) => replayOrders(about, [id, ...more], deps)
  if (more.length > 0) return undefined
  if (given === 'dead') return replayDead
  if (given !== 'since' && given !== 'since,until') return undefined
  const [from, until] = [Date.parse(values.get('since') ?? ''), values.get('until')]
  const to = until === undefined ? Number.POSITIVE_INFINITY : Date.parse(until)
  return from < to ? (about, deps) => replayBetween(about, { from, to }, deps) : undefined
}
