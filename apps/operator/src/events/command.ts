import { namesOf, type OperatorStore, type SinkJobs, shardOf } from '@placeorder/store'
import { exitCode, readWords, type Screen } from '../command-line.ts'
import { ageOf, momentOf, tableOf } from '../orders/print.ts'

export type EventsDeps = {
  open: () => Promise<OperatorStore>
  out: Screen
  err: Screen
}

const help = `events <command>

Looks at the sinks that events are delivered to, and has events sent again.

  sinks                      every sink that Redis keeps events for, and how far it is
  deliveries <sink>          the newest sendings to it
  dead <sink>                its dead letters, with the reasons
  replay <sink> --dead       tries its dead letters again
  replay <sink> --id <paymentId>
                             sends the event of an order again that Redis holds
  replay <sink> --since <time> [--until <time>]
                             has the notifiers send what was concluded then, out of the archive;
                             they need ARCHIVE_URL
  remove <sink>              removes it with all that waits for it; take it out of events.json first
  --help                     this text

A time is such as 2026-03-14T09:00:00Z. Redis and SHARDS are read from the environment.

Exits 0 when it was done; 1 when there is no such sink or order; 2 when the arguments make no sense.
`

/** At most so many are shown, or tried again in each shard. */
const LISTED_MAX = 100
const RETRIED_MAX = 100_000

type Given = { store: OperatorStore; sink: string; values: ReadonlyMap<string, string> }
type Command = (given: Given, deps: EventsDeps) => Promise<number>

const ofOneSink: Record<string, Command> = {
  deliveries: showDeliveries,
  dead: showDead,
  remove,
}

/**
 * Runs the command that the arguments name, and resolves with the exit code. What the store fails
 * of is thrown.
 */
export async function runEvents(args: string[], deps: EventsDeps): Promise<number> {
  const { words = [], asksForHelp, flags, values } = readWords(args, ['dead'], valued)
  if (asksForHelp) {
    deps.out.write(help)
    return exitCode.good
  }
  const command = commandOf(words, flags, values)
  if (command === undefined) {
    deps.err.write(`I do not know what to do with: ${args.join(' ')}\n\n${help}`)
    return exitCode.usage
  }
  const store = await deps.open()
  try {
    const [verb, sink = ''] = words
    if (verb !== 'sinks' && !(await allSinks(store)).includes(sink)) {
      deps.err.write(`there is no sink ${sink}: npm run events -- sinks lists them\n`)
      return exitCode.missed
    }
    return await command({ store, sink, values }, deps)
  } finally {
    await store.close()
  }
}

const valued = ['id', 'since', 'until'] as const

/** The command that is asked for; undefined unless it fits its flags and options. */
function commandOf(
  [verb = '', sink, ...more]: string[],
  flags: ReadonlySet<string>,
  values: ReadonlyMap<string, string>,
): Command | undefined {
  if (more.length > 0) return undefined
  const given = [...flags, ...values.keys()].join()
  if (verb === 'sinks') return sink === undefined && given === '' ? showSinks : undefined
  if (sink === undefined) return undefined
  if (verb !== 'replay')
    return given === '' && Object.hasOwn(ofOneSink, verb) ? ofOneSink[verb] : undefined
  if (given === 'dead') return replayDead
  if (given === 'id') return replayOrder
  const times = ['since', 'until'].map((name) => values.get(name)).filter((at) => at !== undefined)
  const areTimes = times.every((at) => !Number.isNaN(Date.parse(at)))
  return /^since(,until)?$|^until,since$/.test(given) && areTimes ? replaySince : undefined
}

const shardsOf = ({ shards }: OperatorStore) => Array.from({ length: shards }, (_, shard) => shard)

async function allSinks(store: OperatorStore): Promise<string[]> {
  const names = await Promise.all(shardsOf(store).map((shard) => store.streams.list(shard)))
  return [...new Set(names.flat())].sort()
}

/** The results of `body` with the jobs of a sink, for each shard. */
async function eachJobs<T>(
  { store, sink }: Pick<Given, 'store' | 'sink'>,
  body: (jobs: SinkJobs) => Promise<T>,
): Promise<T[]> {
  const results: T[] = []
  for (const shard of shardsOf(store)) {
    const jobs = store.jobsOf(shard, sink)
    results.push(await body(jobs).finally(() => jobs.close()))
  }
  return results
}

async function showSinks({ store }: Given, { out }: EventsDeps): Promise<number> {
  const now = Date.now()
  const disabled = await store.sinkStates.disabled()
  const rows: string[][] = []
  for (const sink of await allSinks(store)) {
    const progress = await Promise.all(
      shardsOf(store).map((shard) => store.streams.progress(shard, sink)),
    )
    const oldest = Math.min(now, ...progress.map((shard) => shard?.oldest ?? now))
    const counts = await eachJobs({ store, sink }, (jobs) => jobs.counts())
    const why = disabled.get(sink)?.reason
    rows.push([
      sink,
      oldest === now ? 'nothing waits' : ageOf(now - oldest),
      String(counts.reduce((sum, { waiting }) => sum + waiting, 0)),
      String(counts.reduce((sum, { dead }) => sum + dead, 0)),
      why === undefined ? '' : `disabled: ${why}`,
    ])
  }
  out.write(tableOf(['sink', 'behind by', 'tried again', 'dead', ''], rows) || 'there is no sink\n')
  return exitCode.good
}

async function showDeliveries({ store, sink }: Given, { out }: EventsDeps): Promise<number> {
  const sent = await Promise.all(
    shardsOf(store).map((shard) => store.streams.deliveries(shard, sink, LISTED_MAX)),
  )
  const newest = sent.flat().sort((a, b) => b.at - a.at)
  const rows = newest.slice(0, LISTED_MAX).map(({ at, ms, result, orderIds }) => {
    const [first] = orderIds
    const { paymentId } = first === undefined ? { paymentId: '' } : namesOf(first)
    const more = orderIds.length > 1 ? ` and ${orderIds.length - 1} more` : ''
    return [momentOf(at), `${ms} ms`, result, `${paymentId}${more}`]
  })
  out.write(tableOf(['when', 'took', 'result', 'paymentId'], rows) || 'nothing was sent yet\n')
  return exitCode.good
}

async function showDead({ store, sink }: Given, { out }: EventsDeps): Promise<number> {
  const dead = (await eachJobs({ store, sink }, (jobs) => jobs.list('dead', LISTED_MAX))).flat()
  const rows = dead.slice(0, LISTED_MAX).map(({ orderId, failedSince, attempts, reason }) => {
    const { acquirerId, paymentId } = namesOf(orderId)
    return [acquirerId, paymentId, momentOf(failedSince), String(attempts + 1), reason]
  })
  const heads = ['acquirer', 'paymentId', 'failed since', 'attempts', 'why']
  out.write(tableOf(heads, rows) || 'there are no dead letters\n')
  return exitCode.good
}

async function replayDead({ store, sink }: Given, { out }: EventsDeps): Promise<number> {
  const retried = await eachJobs({ store, sink }, async (jobs) => {
    const dead = await jobs.list('dead', RETRIED_MAX)
    for (const { id } of dead) await jobs.retry(id)
    return dead.length
  })
  out.write(`${retried.reduce((sum, count) => sum + count, 0)} dead letters are tried again\n`)
  return exitCode.good
}

async function replayOrder({ store, sink, values }: Given, deps: EventsDeps): Promise<number> {
  const paymentId = values.get('id') ?? ''
  const orderIds = await store.acquirers.ordersOf(paymentId)
  for (const orderId of orderIds)
    await store.streams.replay(shardOf(orderId, store.shards), sink, [orderId])
  if (orderIds.length === 0) {
    deps.err.write(`Redis has no order ${paymentId}: replay --since sends archived ones\n`)
    return exitCode.missed
  }
  deps.out.write(`the event of ${paymentId} is sent again\n`)
  return exitCode.good
}

async function replaySince({ store, sink, values }: Given, deps: EventsDeps): Promise<number> {
  const from = Date.parse(values.get('since') ?? '')
  const until = values.get('until')
  const to = until === undefined ? Date.now() : Date.parse(until)
  if (!(await store.sinkStates.planBacklog(sink, { from, to }))) {
    deps.err.write(`old events are being sent to ${sink}: try again once they are\n`)
    return exitCode.missed
  }
  deps.out.write(
    `notifiers with ARCHIVE_URL send what was concluded from ${momentOf(from)} ` +
      `to ${momentOf(to)};\n` +
      'what only a request has is missing where that was dropped by REQUESTS_KEEP_MONTHS\n',
  )
  return exitCode.good
}

async function remove({ store, sink }: Given, { out }: EventsDeps): Promise<number> {
  for (const shard of shardsOf(store)) await store.streams.remove(shard, sink)
  await eachJobs({ store, sink }, (jobs) => jobs.remove())
  await store.sinkStates.enable(sink)
  await store.sinkStates.noteBacklog(sink, undefined)
  out.write(`${sink} is removed; a notifier that still has it in its events.json begins it anew\n`)
  return exitCode.good
}
