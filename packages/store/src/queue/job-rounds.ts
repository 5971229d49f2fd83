import { z } from 'zod'
import { joinableJobKey, joinedKey, OrderId } from '../keys.ts'
import type { RedisConnection } from '../redis/connection.ts'
import { readable } from '../redis/readable.ts'
import { Script } from '../redis/script.ts'
import type { FirstJoined } from './first-joined.ts'

// Joining a running job
//
// A worker's job can process more groups than the one it was made for: ingresses add the groups
// that come while it runs, and for WAITING_MS after that. So one job, one lock and one round trip
// of BullMQ's serve many groups, of many ingresses.
//
// Each shard has at most one joinable job. Its id is at `joinableJobKey`, which expires; the groups
// that have joined it are in the list at `joinedKey`, as JSON (`JoiningGroup`).
//
//   state      event                                               next state
//   none       claim.lua: a group gets a job of its own            joinable for ROUND_MS
//   joinable   claim.lua: a group joins                            joinable; none after the 64th
//   joinable   drain-joined.lua: groups have joined the round      joinable for ROUND_MS more
//   joinable   drain-joined.lua: none has, and the job waits       joinable for WAITING_MS more
//   joinable   drain-joined.lua: none has, and the job cannot wait none
//   joinable   the wait is over, the round failed or was slow,     none
//              the job is JOB_MS_MAX old, or its worker closes
//   joinable   the key expires: its ingress or its worker died     none
//
// - The ingress (intake.ts) claims a group. If the last one found a joinable job, the claim carries
//   the group's JSON. If one still is, the new orders' records name that job, the JSON goes on its
//   list, and nothing is enqueued. Otherwise the group's own job becomes the joinable one, and the
//   ingress enqueues it.
// - The worker runs the job in rounds: its own group first, then what has joined. After each round
//   it removes the processed groups from the list and takes the rest. So the list always holds what
//   is not processed yet, and a job that runs again has it again. Where the script that concludes
//   all orders of a round can, it does this in the same step (`RoundEnd`).
// - When no group has joined, the job waits for the next one (first-joined.ts). It ends when none
//   comes. In the same step it stops being joinable, so no group joins a job that has ended.
// - A round that fails, or takes longer than ROUND_MS, is the last. What has joined by then is
//   processed beside it, and does not wait for it.
// - If the ingress dies before it has enqueued the job, orders may have joined a job that does not
//   exist: they are requeued (requeue.ts). If the worker dies, BullMQ runs the job again, with its
//   list. ROUND_MS and WAITING_MS bound for how long orders join such a job.
// - A claim that runs twice finds its own orders open and naming its own job, and enqueues them. A
//   drain that runs twice, or for two workers, removes only what its caller has processed.

/**
 * The orders of a job; their records hold the rest. `subjects` has the lookup ids of each order
 * (merchant, digest of the code, and digest of the customer if there is one), so that records and
 * what they name can be read in one round trip. `traces` has the orders' traces by `OrderId`.
 * `isolated`: a process died while it judged them, so they are judged in a process of their own.
 */
export const GroupData = z.object({
  orderIds: z.array(OrderId).min(1),
  subjects: z.array(z.array(z.string())).optional(),
  traces: z.record(z.string(), z.string()).optional(),
  isolated: z.boolean().optional(),
})
export type GroupData = z.infer<typeof GroupData>

/**
 * The version of a job's data. A worker does not run jobs of other versions: their orders are
 * requeued.
 */
export const JOB_VERSION = 1

/** What a claim has counted: which counters, as JSON, and the reply of `count-recent`. */
const Counted = z.object({ used: z.string(), counts: z.string() })
export type Counted = z.infer<typeof Counted>

/** The data of a job as it is stored. */
export const JobData = GroupData.extend({ v: z.literal(JOB_VERSION) })

/**
 * A group that joins another group's job, and when it did (ms, by its ingress's clock). Its claim
 * appends what it has counted.
 */
export const JoiningGroup = JobData.required({ subjects: true }).extend({
  at: z.number(),
  counted: Counted.optional(),
})
export type JoiningGroup = z.infer<typeof JoiningGroup>

/**
 * How long joined groups wait for a round at most, and for how long a job is joinable after its
 * claim and after each round (ms). A round that takes longer is slow for reasons that larger rounds
 * do not help with.
 */
export const ROUND_MS = 50

/**
 * How long a job that nothing has joined waits for the next group (ms). Groups may join it
 * meanwhile, so if its worker dies, the groups of this time wait until another one has its job. It
 * saves what a job costs beside its orders, some 60 Redis commands, for all orders that come faster
 * than this.
 */
export const WAITING_MS = 250

/** How long a job may be joined (ms). Under steady load it would otherwise never end. */
const JOB_MS_MAX = 5_000

/** The end of a round: its drain may run in the step that concludes all orders of the round. */
export class RoundEnd {
  readonly #processed: string[]
  readonly #joinMs: () => JoinMs
  #isOver = false
  /** What a script has drained. */
  drained: Drained | undefined

  /** `processed`: the groups of the round that had joined the job. */
  constructor(processed: string[], joinMs: () => JoinMs) {
    this.#processed = processed
    this.#joinMs = joinMs
  }

  /**
   * The last arguments of drain-joined.lua, for a script that calls it and gives its reply to
   * `note`. Undefined once the job has gone on without the round.
   */
  get args(): (string | number)[] | undefined {
    return this.#isOver
      ? undefined
      : [this.#processed.length, this.#processed.at(-1) ?? '', ...this.#joinMs()]
  }

  note(reply: unknown): void {
    this.drained = Drained.parse(reply)
  }

  over(): void {
    this.#isOver = true
  }

  /** The groups of the round that are still on the list. */
  get onList(): string[] {
    return this.drained === undefined ? this.#processed : []
  }
}

/** For how long more groups may join the job (ms): if any has, and if none has. */
type JoinMs = [ifAny: number, ifNone: number]

export type JobRounds = {
  connection: RedisConnection
  shard: number
  jobId: string
  /** Processes the job's own group. */
  own: (end: RoundEnd) => Promise<void>
  /** Processes groups that have joined the job, as one group. */
  joined: (groups: JoiningGroup[], end?: RoundEnd) => Promise<void>
  /**
   * Called with why a group that has joined it cannot be read: a newer version wrote it, or it was
   * damaged. It is requeued.
   */
  onUnreadable: (error: Error) => void
  /** Whether more groups may join. */
  open: () => boolean
  /** Waits for the first group that joins a job; without it, a job ends when none has joined. */
  firstJoined?: Pick<FirstJoined, 'isFree' | 'of'> | undefined
  /** How long a round may take (ms) before it counts as slow. */
  roundMs?: number
}

const drainJoined = new Script('drain-joined')

/** The reply of the script. */
const Drained = z
  .tuple([z.enum(['0', '1'])], z.string())
  .transform(([joinable, ...groups]) => ({ isJoinable: joinable === '1', groups }))
type Drained = z.infer<typeof Drained>

/** The keys of drain-joined.lua for a job. */
export const drainKeys = (shard: number, jobId: string): string[] => [
  joinableJobKey(shard),
  joinedKey(shard, jobId),
]

/**
 * Runs a job in rounds: its own group first, then the groups that have joined it, until none has.
 *
 * Rejects with the reason of a failed round: then the job must run again.
 */
export async function workInRounds({
  connection,
  shard,
  jobId,
  own,
  joined,
  onUnreadable,
  open,
  firstJoined,
  roundMs = ROUND_MS,
}: JobRounds): Promise<void> {
  const keys = drainKeys(shard, jobId)
  const until = performance.now() + JOB_MS_MAX
  const joinMs = (): JoinMs =>
    open() && performance.now() < until ? [roundMs, firstJoined?.isFree ? WAITING_MS : 0] : [0, 0]
  const drain = async (processed: string[], [ifAny, ifNone]: JoinMs = [0, 0]) => {
    const args = [jobId, processed.length, processed.at(-1) ?? '', ifAny, ifNone]
    return Drained.parse(await drainJoined.run(connection, keys, args))
  }
  /** Removes the processed groups, and resolves with the next ones; with none if the job ends. */
  const next = async (end: RoundEnd): Promise<string[]> => {
    const { isJoinable, groups } = end.drained ?? (await drain(end.onList, joinMs()))
    if (groups.length > 0 || !isJoinable) return groups
    const first = firstJoined?.isFree ? await firstJoined.of(jobId, WAITING_MS) : undefined
    return first === undefined ? (await drain([])).groups : [first]
  }
  let end = new RoundEnd([], joinMs)
  let round = own(end)
  let inFlight: string[] = []
  while (await isDoneWithin(roundMs, round)) {
    inFlight = await next(end)
    if (inFlight.length === 0) return
    end = new RoundEnd(inFlight, joinMs)
    round = joined(groupsIn(inFlight, onUnreadable), end)
  }
  // This round is slow or has failed: nothing more joins, and what has joined runs beside it.
  end.over()
  const rest = (await drain([])).groups.filter((text) => !inFlight.includes(text))
  const last = await Promise.allSettled([
    round,
    ...(rest.length > 0 ? [joined(groupsIn(rest, onUnreadable))] : []),
  ])
  const ofJoined = inFlight.length > 0 ? last : last.slice(1)
  if (ofJoined.length > 0 && ofJoined.every(({ status }) => status === 'fulfilled'))
    await drain([...end.onList, ...rest])
  for (const one of last) if (one.status === 'rejected') throw one.reason
}

/** Groups that cannot be parsed are left out: their orders are requeued. */
const groupsIn = (texts: string[], onUnreadable: (error: Error) => void): JoiningGroup[] =>
  texts.flatMap((text) => {
    const group = readable(() => JoiningGroup.parse(JSON.parse(text)))
    if (!(group instanceof Error)) return [group]
    onUnreadable(
      new Error('a group that joined a job is of a newer version, or damaged', { cause: group }),
    )
    return []
  })

/** Whether the work succeeds within `ms`. */
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
