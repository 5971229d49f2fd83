import { hash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { z } from 'zod'

// All key and channel names of the store. The keys of one script share the hash tag `{s<shard>}`,
// so the same code runs on one server and on a Cluster.

/**
 * Identifies an order in keys, jobs and messages: `<acquirerId>:<paymentId>`. Orders of different
 * acquirers never share one, whatever characters are in the ids.
 */
export const OrderId = z.string().brand<'OrderId'>()
export type OrderId = z.output<typeof OrderId>

/** The two ids that identify an order. */
export type OrderNames = { acquirerId: string; paymentId: string }

/** A colon in the acquirerId is escaped, so that the first colon ends it. */
export const orderIdOf = ({ acquirerId, paymentId }: OrderNames): OrderId =>
  `${acquirerId.replace(/[%:]/g, (sign) => (sign === ':' ? '%3A' : '%25'))}:${paymentId}` as OrderId

/**
 * The ids of an `OrderId`. Accepts any text: without a colon it is a paymentId without an acquirer.
 */
export function namesOf(orderId: OrderId): OrderNames {
  const end = orderId.indexOf(':')
  const acquirerId = orderId.slice(0, Math.max(0, end))
  return {
    acquirerId: acquirerId.replace(/%3A|%25/g, (kept) => (kept === '%3A' ? ':' : '%')),
    paymentId: orderId.slice(end + 1),
  }
}

/** The number of shards, kept from the first start on. Untagged: it belongs to no shard. */
export const shardsKey = 'placeorder:shards'

/**
 * The acquirers that orders were claimed for, a set: with it, an order is found by its paymentId
 * alone.
 */
export const acquirersKey = 'placeorder:acquirers'

/**
 * The name of each shard's BullMQ queue; with `tagOf` as prefix its keys are `{s0}:orders:wait` and
 * so on.
 */
export const queueName = 'orders'

/**
 * The hash tag that puts a shard's keys in one Cluster slot; also the prefix of its BullMQ queue.
 */
export const tagOf = (shard: number): string => `{s${shard}}`

/** The shard of an `OrderId`, a merchant, or the digest of a customer or a code. */
export const shardOf = (subject: string, shards: number): number =>
  shards === 1 ? 0 : crc32(subject) % shards

export const orderKey = (shard: number, orderId: OrderId): string =>
  `${orderPrefix(shard)}${orderId}`

/** The prefix of the keys of a shard's orders. */
export const orderPrefix = (shard: number): string => `${tagOf(shard)}:order:`

/**
 * Where a key of a shard belongs once there are so many shards; undefined if it belongs to the
 * shard as such, or stays.
 */
export function keyAmong(shards: number, key: string, shard: number): string | undefined {
  const name = key.slice(tagOf(shard).length)
  const [, subject] = SUBJECT.exec(name) ?? []
  if (subject === undefined) return undefined
  const to = shardOf(subject, shards)
  return to === shard ? undefined : `${tagOf(to)}${name}`
}

/** What chooses the shard of these keys: an `OrderId`, a merchant, or a digest. */
const SUBJECT = /^:(?:order|merchant|code|recent:(?:merchant|customer|code)):(.*)$/s

/** The shard's open orders, a sorted set by claim time in ms. */
export const openKey = (shard: number): string => `${tagOf(shard)}:open`

/** How far the workers' walk through the open orders has come; see open-walk.ts. */
export const openWalkKey = (shard: number): string => `${tagOf(shard)}:open-walk`

/** The shard's abandoned orders, a sorted set by the time they were abandoned in ms. */
export const abandonedKey = (shard: number): string => `${tagOf(shard)}:gave-up`

/**
 * The outcomes of the shard's orders in the order of their conclusion, a stream; empty without an
 * archive.
 */
export const outboxKey = (shard: number): string => `${tagOf(shard)}:outbox`

/** The consumer group with which a sink reads the outbox. */
export const sinkGroup = (sink: string): string => `${SINK_GROUP_PREFIX}${sink}`
export const SINK_GROUP_PREFIX = 'sink:'

/** Orders of the shard whose events are to be sent to a sink again, a stream like the outbox. */
export const replayKey = (shard: number, sink: string): string => `${tagOf(shard)}:replay:${sink}`

/** The newest sendings to a sink, a stream. */
export const deliveriesKey = (shard: number, sink: string): string =>
  `${tagOf(shard)}:deliveries:${sink}`

/** The name of a sink's BullMQ queue, of events that failed; each shard has one in its slot. */
export const sinkQueueName = (sink: string): string => `sink-${sink}`

export const sinkJobKey = (shard: number, sink: string, jobId: string): string =>
  `${tagOf(shard)}:${sinkQueueName(sink)}:${jobId}`

/** Sinks that are disabled, a hash: why, by name. Untagged: it belongs to no shard. */
export const disabledSinksKey = 'placeorder:disabled-sinks'

/** Sinks that are still to be sent old outcomes, a hash: how far that is, by name. Untagged. */
export const backlogsKey = 'placeorder:sink-backlogs'
/** Held by the notifier that reads old outcomes for a sink. */
export const backlogLockKey = (sink: string): string => `${backlogsKey}:${sink}`

/** Names this Redis to those who pull: one that lost its data has another name. Untagged. */
export const incarnationKey = 'placeorder:incarnation'

/** The state of the archive that the shard's orders are copied to, a hash. */
export const archiveKey = (shard: number): string => `${tagOf(shard)}:archive`

/** One of the filters of the orders that the shard has forgotten, a string; see filters.ts. */
export const forgottenKey = (shard: number, n: number): string => `${tagOf(shard)}:forgotten:${n}`

/** Orders that cannot be archived, a hash: the reasons by `OrderId`. */
export const unarchivableKey = (shard: number): string => `${tagOf(shard)}:unarchivable`

/** The keys of `conclude` before those of the orders. */
export const concludeKeys = (shard: number): string[] => [
  openKey(shard),
  archiveKey(shard),
  outboxKey(shard),
]

/** The channel on which one ingress receives the outcomes of one shard. */
export const channelName = (shard: number, ingressId: string): string =>
  `${tagOf(shard)}:ingress:${ingressId}`

/** Written before WAIT, to learn whether the shard's replicas have all earlier writes. */
export const fenceKey = (shard: number): string => `${tagOf(shard)}:fence`

/** The same for the slot of limits, order codes and decisions. */
export const decisionsFenceKey = '{u}:fence'

export const jobKey = (shard: number, jobId: string): string =>
  `${tagOf(shard)}:${queueName}:${jobId}`

/** The names of the shard's lists that hold deferred orders, a set. */
export const deferredListsKey = (shard: number): string => `${tagOf(shard)}:deferred`

/** Deferred orders, a sorted set by the time they are due in ms. */
export const deferredKey = (shard: number, list: string): string =>
  `${deferredListsKey(shard)}:${list}`

/** Held by the worker that has just resumed deferred orders of the shard. */
export const resumingKey = (shard: number): string => `${tagOf(shard)}:resuming`

/** BullMQ's delayed jobs, a sorted set by the time they are due. */
export const delayedJobsKey = (shard: number): string => jobKey(shard, 'delayed')

/** BullMQ's active jobs, a list; the oldest is the last. */
export const activeJobsKey = (shard: number): string => jobKey(shard, 'active')

/** Held by the worker that has last checked for BullMQ's stalled jobs. */
export const stalledCheckKey = (shard: number): string => jobKey(shard, 'stalled-check')

/** The id of the job that groups of the shard may join now; see job-rounds.ts. */
export const joinableJobKey = (shard: number): string => `${tagOf(shard)}:joinable`

/** The groups that have joined a job, a list. */
export const joinedKey = (shard: number, jobId: string): string =>
  `${joinableJobKey(shard)}:${jobId}`

/**
 * The recent counters that the workers' policy reads, as JSON: these a claim counts
 * (claim-counts.ts).
 */
export const recentUsedKey = (shard: number): string => `${tagOf(shard)}:recent-used`

export const merchantKey = (shard: number, merchantId: string): string =>
  `${tagOf(shard)}:merchant:${merchantId}`
export const codeKey = (shard: number, code: Digest): string => `${tagOf(shard)}:code:${code}`

// Limits, order codes and decisions share one tag, whatever the number of shards: an order takes
// from its merchant's limit, its customer's limit and its code all at once or not at all, and only
// a script on keys of one slot can guarantee that.

/** The holder of an order code: the `OrderId` of the order that was placed with it. */
export const codeHolderKey = (code: Digest): string => `{u}:code-holder:${code}`

/** The order codes that operators have released, a stream. */
export const releasedCodesKey = '{u}:released-codes'

/**
 * The sums of one day's placed orders in one currency: a hash with a field for each merchant and
 * customer.
 */
export const usageKey = (day: string, currency: string): string => `{u}:usage:${day}:${currency}`

export const usageField = (subject: 'merchant' | 'customer', id: string): string =>
  `${subject}:${subject === 'customer' ? digestOf(id) : id}`

/**
 * The keys of these hashes, a sorted set by the steady time (ms) since which no order was counted
 * in them; 0 after an order was.
 */
export const usageDaysKey = '{u}:usage-days'

/** The decisions on the orders that were claimed in one minute (whole minutes since 1970). */
export const decidedKey = (minute: number): string => `{u}:decided:${minute}`

/**
 * The minutes that have decisions, a sorted set by the steady time (ms) since which none of their
 * orders is open; 0 while one is.
 */
export const decidedMinutesKey = '{u}:decided-minutes'

/**
 * A time without the steps of Redis's clock, by which both are forgotten; see list-forgettable.lua.
 */
export const steadyTimeKey = '{u}:steady-time'

/**
 * The recent orders of a merchant, or of the digest of a customer or a code: a sorted set of
 * `OrderId`s by claim time in ms.
 */
export const recentKey = (
  shard: number,
  subject: 'merchant' | 'customer' | 'code',
  id: string | Digest,
): string => `${tagOf(shard)}:recent:${subject}:${id}`

/** The large ones of a shard, a sorted set by the time (ms) until which each is kept. */
export const largeRecentKey = (shard: number): string => `${tagOf(shard)}:recent-large`

/**
 * How many digests are cached: those of an order's code and customer are needed twice within
 * milliseconds.
 */
const DIGESTS_MAX = 1_000

const digests = new Map<string, Digest>()

/**
 * Stands for a code or a customer in keys and jobs, so that personal data is not in clear: 132
 * bits, so that no two share one.
 */
export const Digest = z.string().brand<'Digest'>()
export type Digest = z.output<typeof Digest>

export function digestOf(value: string): Digest {
  const kept = digests.get(value)
  if (kept !== undefined) return kept
  const made = Digest.parse(hash('sha256', value, 'base64url').slice(0, 22))
  if (digests.size >= DIGESTS_MAX) digests.clear()
  digests.set(value, made)
  return made
}
