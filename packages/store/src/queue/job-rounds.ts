import { z } from 'zod'
import { joinableJobKey, joinedKey, OrderId } from '../keys.ts'
import type { RedisConnection } from '../redis/connection.ts'
import { readable } from '../redis/readable.ts'
import { Script } from '../redis/script.ts'

/**
 * The orders a job is answerable for; the record of each says the rest. `subjects` says of each whose it is (merchant, and the digests of its
 * code and of its customer, if it has one), so that what is kept of those can be looked up together with the records. `traces` carries each
 * order's trace on, by `OrderId`. `isolated`: processes have died of them, so they are judged elsewhere.
 */
export const GroupData = z.object({
  orderIds: z.array(OrderId).min(1),
  subjects: z.array(z.array(z.string())).optional(),
  traces: z.record(z.string(), z.string()).optional(),
  isolated: z.boolean().optional(),
})
export type GroupData = z.infer<typeof GroupData>

/** Of the form of what a job is told: a worker leaves what is of another to requeueing. */
export const JOB_VERSION = 1

/** What is kept of a job. */
export const JobData = GroupData.extend({ v: z.literal(JOB_VERSION) })

/** A group that joins another's job, and when it did (ms, by its ingress's clock). */
const JoiningGroup = JobData.required({ subjects: true }).extend({ at: z.number() })
export type JoiningGroup = z.infer<typeof JoiningGroup>

/**
 * What has joined a job waits for those before it in the job for no longer than this (ms): what takes longer is slow for reasons
 * that more orders at once do not help. It is also for how long more may join after each round.
 */
export const ROUND_MS = 50

/** A job may be joined for so long (ms). Under steady load it could be for ever, and nobody would see it end. */
const JOB_MS_MAX = 1_000

export type JobRounds = {
  connection: RedisConnection
  shard: number
  jobId: string
  /** Works on the job's own group. */
  own: () => Promise<void>
  /** Works on groups that have joined it, as on one. */
  joined: (groups: JoiningGroup[]) => Promise<void>
  /** Called with why a group that has joined it cannot be read: a newer version wrote it, or it was damaged. It is requeued. */
  onUnreadable: (error: Error) => void
  /** Whether more may join. */
  open: () => boolean
  /** A round that takes longer (ms) is slow. */
  roundMs?: number
}

const drainJoined = new Script('drain-joined')

/**
 * Works on a job in rounds: on its own group, then, while there are such, on those that have joined it meanwhile. So one job does
 * for many groups, of whichever ingress. What has joined is removed once it is done with: a job that is run again has it again.
 *
 * Rejects with why a round failed; then the job is to be run again.
 */
export async function workInRounds({
  connection,
  shard,
  jobId,
  own,
  joined,
  onUnreadable,
  open,
  roundMs = ROUND_MS,
}: JobRounds): Promise<void> {
  const keys = [joinableJobKey(shard), joinedKey(shard, jobId)]
  const take = async (done: string[], joinMs: number) => {
    const texts = await drainJoined.run(connection, keys, [
      jobId,
      done.length,
      done.at(-1) ?? '',
      joinMs,
    ])
    return z.array(z.string()).parse(texts)
  }
  const until = performance.now() + JOB_MS_MAX
  let round = own()
  let inFlight: string[] = []
  while (await isDoneWithin(roundMs, round)) {
    const taken = await take(inFlight, open() && performance.now() < until ? roundMs : 0)
    if (taken.length === 0) return
    inFlight = taken
    round = joined(groupsIn(taken, onUnreadable))
  }
  // This round is slow, or failed: nothing more joins the job, and what has joined waits for it no longer.
  const rest = (await take([], 0)).filter((text) => !inFlight.includes(text))
  const last = await Promise.allSettled([
    round,
    ...(rest.length > 0 ? [joined(groupsIn(rest, onUnreadable))] : []),
  ])
  const ofJoined = inFlight.length > 0 ? last : last.slice(1)
  if (ofJoined.length > 0 && ofJoined.every(({ status }) => status === 'fulfilled'))
    await take([...inFlight, ...rest], 0)
  for (const one of last) if (one.status === 'rejected') throw one.reason
}

/** What cannot be read says nothing of its orders: they are requeued. */
const groupsIn = (texts: string[], onUnreadable: (error: Error) => void): JoiningGroup[] =>
  texts.flatMap((text) => {
    const group = readable(() => JoiningGroup.parse(JSON.parse(text)))
    if (!(group instanceof Error)) return [group]
    onUnreadable(
      new Error('a group that joined a job is of a newer version, or damaged', { cause: group }),
    )
    return []
  })

/** Whether it has come to a good end within `ms`. */
async function isDoneWithin(ms: number, work: Promise<void>): Promise<boolean> {
  const late = Promise.withResolvers<boolean>()
  const timer = setTimeout(late.resolve, ms, false)
  const done = work.then(
    () => true,
    () => false,
  )
  try {
    return await Promise.race([done, late.promise])
  } finally {
    clearTimeout(timer)
  }
}
