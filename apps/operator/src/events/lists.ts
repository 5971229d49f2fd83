import { sinkFault } from '@placeorder/events'
import { namesOf, type OperatorStore, type SinkJob, type SinkJobs } from '@placeorder/store'
import { exitCode } from '../command-line.ts'
import { ageOf, momentOf, tableOf } from '../orders/print.ts'
import type { EventsDeps, OneSink } from './command.ts'
import type { SinkFile } from './sink-file.ts'

/** At most so many events are listed. */
const LISTED_MAX = 100

export const shardsOf = ({ shards }: OperatorStore): number[] =>
  Array.from({ length: shards }, (_, shard) => shard)

/** The sinks that Redis keeps events for. */
export async function allSinks(store: OperatorStore): Promise<string[]> {
  const names = await Promise.all(shardsOf(store).map((shard) => store.streams.list(shard)))
  return [...new Set(names.flat())].sort()
}

/** The results of `body` with the jobs of a sink, for each shard. */
export async function eachJobs<T>(
  { store, sink }: OneSink,
  body: (jobs: SinkJobs) => Promise<T>,
): Promise<T[]> {
  const results: T[] = []
  for (const shard of shardsOf(store)) {
    const jobs = store.jobsOf(shard, sink)
    results.push(await body(jobs).finally(() => jobs.close()))
  }
  return results
}

/** Says how each sink stands, and where its events wait. */
export async function showSinks(
  store: OperatorStore,
  { readSinks, out }: Pick<EventsDeps, 'readSinks' | 'out'>,
): Promise<number> {
  const now = Date.now()
  const file = await readSinks()
  const rows: string[][] = []
  const waiting: string[][] = []
  for (const sink of await allSinks(store)) {
    const shards = await shardsOfSink({ store, sink })
    const last = await lastSending({ store, sink })
    rows.push([
      sink,
      ...backlogOf(shards, now),
      last === undefined ? 'none yet' : `${ageOf(Math.max(0, now - last.at))} ago: ${last.result}`,
      await stateOf({ store, sink }, file, last),
    ])
    for (const [shard, one] of shards.entries())
      if (one.oldest !== undefined || one.waiting + one.dead + one.replays > 0)
        waiting.push([sink, String(shard), ...backlogOf([one], now)])
  }
  const backlog = ['behind by', 'replays', 'tried again', 'dead']
  out.write(tableOf(['sink', ...backlog, 'last sending', 'state'], rows))
  const known = new Set(rows.map(([sink]) => sink))
  const unknown = (file.sinks ?? []).filter(({ name }) => !known.has(name))
  for (const { name } of unknown)
    out.write(`${name} is in ${file.path}, and no notifier has begun it: is one running?\n`)
  for (const [sink, { from, to, after }] of await store.sinkStates.backlogs())
    out.write(
      `${sink} is being sent what was concluded until ${momentOf(to)} out of the archive, ` +
        `and is at ${momentOf(after?.concludedAt ?? from)}\n`,
    )
  if (known.size + unknown.length === 0) out.write('there is no sink\n')
  if (file.sinks === undefined && known.size > 0)
    out.write(`there is no ${file.path} here: which sinks are paused is not known\n`)
  if (store.shards > 1 && waiting.length > 0)
    out.write(`\n${tableOf(['sink', 'shard', ...backlog], waiting)}`)
  return exitCode.good
}

type ShardBacklog = { oldest: number | undefined; replays: number; waiting: number; dead: number }

/** What waits for a sink, by shard. */
async function shardsOfSink({ store, sink }: OneSink): Promise<ShardBacklog[]> {
  const counts = await eachJobs({ store, sink }, (jobs) => jobs.counts())
  const progress = await Promise.all(
    shardsOf(store).map((shard) => store.streams.progress(shard, sink)),
  )
  return counts.map((count, shard) => {
    const { oldest, replays = 0 } = progress[shard] ?? {}
    return { ...count, oldest, replays }
  })
}

function backlogOf(shards: ShardBacklog[], now: number): string[] {
  const sum = (name: 'replays' | 'waiting' | 'dead') =>
    shards.reduce((total, shard) => total + shard[name], 0).toLocaleString('en')
  const oldest = Math.min(...shards.map((shard) => shard.oldest ?? Number.POSITIVE_INFINITY))
  const behind = Number.isFinite(oldest) ? ageOf(Math.max(0, now - oldest)) : 'nothing waits'
  return [behind, sum('replays'), sum('waiting'), sum('dead')]
}

type Sending = { at: number; result: string }

async function lastSending({ store, sink }: OneSink): Promise<Sending | undefined> {
  const newest = await Promise.all(
    shardsOf(store).map((shard) => store.streams.deliveries(shard, sink, 1)),
  )
  return newest.flat().sort((a, b) => b.at - a.at)[0]
}

/** A sink that was given something since it was disabled was changed in the file, and is not. */
async function stateOf(
  { store, sink }: OneSink,
  { path, sinks }: SinkFile,
  last: Sending | undefined,
): Promise<string> {
  if (sink === 'pull') return 'pulled'
  const entry = sinks?.find(({ name }) => name === sink)
  if (sinks !== undefined && entry === undefined) return `paused: not in ${path}`
  const fault = entry && (await sinkFault(entry, { path }))
  if (fault !== undefined) return `faulty: ${fault}`
  const disabled = (await store.sinkStates.disabled()).get(sink)
  if (disabled !== undefined && !(last?.result === 'delivered' && last.at > disabled.at))
    return `disabled: ${disabled.reason}`
  return last === undefined || last.result === 'delivered' ? '' : 'failing'
}

/** Lists the events that failed and wait, and the newest sendings. */
export async function showDeliveries(
  { store, sink }: OneSink,
  { out }: Pick<EventsDeps, 'out'>,
): Promise<number> {
  const all = await eachJobs({ store, sink }, (jobs) => jobs.list('waiting', LISTED_MAX))
  const waiting = all.flat().sort((a, b) => (a.dueAt ?? 0) - (b.dueAt ?? 0))
  if (waiting.length > 0)
    out.write(
      `${tableOf(
        ['acquirer', 'paymentId', 'failed since', 'attempts', 'next attempt', 'why'],
        waiting.slice(0, LISTED_MAX).map((job) => {
          const [acquirerId = '', paymentId = '', since = '', attempts = ''] = wordsOf(job)
          const next = job.dueAt === undefined ? 'now' : momentOf(job.dueAt)
          return [acquirerId, paymentId, since, attempts, next, job.reason]
        }),
      )}\n`,
    )
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

/** Lists dead letters, with the reasons. */
export async function showDead(
  { store, sink }: OneSink,
  { out }: Pick<EventsDeps, 'out'>,
): Promise<number> {
  const dead = (await eachJobs({ store, sink }, (jobs) => jobs.list('dead', LISTED_MAX))).flat()
  const rows = dead.slice(0, LISTED_MAX).map((job) => [...wordsOf(job), job.reason])
  const heads = ['acquirer', 'paymentId', 'failed since', 'attempts', 'why']
  out.write(tableOf(heads, rows) || 'there are no dead letters\n')
  return exitCode.good
}

function wordsOf({ orderId, failedSince, attempts }: SinkJob): string[] {
  const { acquirerId, paymentId } = namesOf(orderId)
  return [acquirerId, paymentId, momentOf(failedSince), String(attempts + 1)]
}
