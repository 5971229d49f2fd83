import { hash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { z } from 'zod'

// Every key and channel name of the store. What one script touches shares the hash tag `{s<shard>}`, so the same
// code runs on one server and on a Cluster.

/**
 * Names an order wherever orders are kept, sent and looked for: acquirerId and paymentId in one text,
 * `<acquirerId>:<paymentId>`. What acquirers call their orders never meets, whatever is in the ids.
 */
export const OrderId = z.string().brand<'OrderId'>()
export type OrderId = z.output<typeof OrderId>

/** The two ids that name an order. */
export type OrderNames = { acquirerId: string; paymentId: string }

/** Only the first id can hide where it ends, so only there a colon is written another way. */
export const orderIdOf = ({ acquirerId, paymentId }: OrderNames): OrderId =>
  `${acquirerId.replace(/[%:]/g, (sign) => (sign === ':' ? '%3A' : '%25'))}:${paymentId}` as OrderId

/** The ids an `OrderId` was made of. Reads any text: what is not one is a paymentId of nobody. */
export function namesOf(orderId: OrderId): OrderNames {
  const end = orderId.indexOf(':')
  const acquirerId = orderId.slice(0, Math.max(0, end))
  return {
    acquirerId: acquirerId.replace(/%3A|%25/g, (kept) => (kept === '%3A' ? ':' : '%')),
    paymentId: orderId.slice(end + 1),
  }
}

/** Where the number of shards is kept from the first start on. Untagged: it belongs to no shard. */
export const shardsKey = 'placeorder:shards'

/** The acquirers that orders were claimed for, a set: by it an order is found by its paymentId alone. */
export const acquirersKey = 'placeorder:acquirers'

/** The name of every shard's BullMQ queue; with `tagOf` as prefix its keys are `{s0}:orders:wait` and so on. */
export const queueName = 'orders'

/** The hash tag that keeps all of a shard in one Cluster slot; also the prefix of the shard's BullMQ queue. */
export const tagOf = (shard: number): string => `{s${shard}}`

/** The shard a subject (an `OrderId`, a merchant, the digest of a customer or a code) is at home in. */
export const shardOf = (subject: string, shards: number): number =>
  shards === 1 ? 0 : crc32(subject) % shards

export const orderKey = (shard: number, orderId: OrderId): string =>
  `${orderPrefix(shard)}${orderId}`

/** How the keys of a shard's orders begin. */
export const orderPrefix = (shard: number): string => `${tagOf(shard)}:order:`

/** The shard's open orders, a sorted set by claim time in ms. */
export const openKey = (shard: number): string => `${tagOf(shard)}:open`

/** How far workers have come on their way through them. */
export const openWalkKey = (shard: number): string => `${tagOf(shard)}:open-walk`

/** The shard's orders that were given up, a sorted set by the time of giving up in ms. */
export const abandonedKey = (shard: number): string => `${tagOf(shard)}:gave-up`

/** The outcomes of the shard's orders as they were concluded, a stream; empty while nobody reads it. */
export const outboxKey = (shard: number): string => `${tagOf(shard)}:outbox`

/** What is known of the archive that the shard's orders are copied to, a hash. */
export const archiveKey = (shard: number): string => `${tagOf(shard)}:archive`

/** Orders that cannot be archived, a hash: why, by `OrderId`. */
export const unarchivableKey = (shard: number): string => `${tagOf(shard)}:unarchivable`

/** What `conclude` is given before the orders. */
export const concludeKeys = (shard: number): string[] => [
  openKey(shard),
  archiveKey(shard),
  outboxKey(shard),
]

/** Where one ingress hears the outcomes of one shard. */
export const channelName = (shard: number, ingressId: string): string =>
  `${tagOf(shard)}:ingress:${ingressId}`

/** Written by an ingress to learn how far the shard's replicas have come. */
export const fenceKey = (shard: number): string => `${tagOf(shard)}:fence`

/** The same, of the slot that limits, order codes and decisions are in. */
export const decisionsFenceKey = '{u}:fence'

export const jobKey = (shard: number, jobId: string): string =>
  `${tagOf(shard)}:${queueName}:${jobId}`

/** The names of the shard's lists of deferred orders, of those that have any: a set. */
export const deferredListsKey = (shard: number): string => `${tagOf(shard)}:deferred`

/** Deferred orders, a sorted set by the time they are due in ms. */
export const deferredKey = (shard: number, list: string): string =>
  `${deferredListsKey(shard)}:${list}`

/** Held by the worker that has just resumed deferred orders of the shard. */
export const resumingKey = (shard: number): string => `${tagOf(shard)}:resuming`

/** BullMQ's jobs that wait for their time, a sorted set by that. */
export const delayedJobsKey = (shard: number): string => jobKey(shard, 'delayed')

/** BullMQ's jobs that workers have, a list; the one that was taken first is the last. */
export const activeJobsKey = (shard: number): string => jobKey(shard, 'active')

/** Held by the worker whose turn it was last to look for BullMQ's stalled jobs. */
export const stalledCheckKey = (shard: number): string => jobKey(shard, 'stalled-check')

/** The id of the job that orders of the shard may join now. */
export const joinableJobKey = (shard: number): string => `${tagOf(shard)}:joinable`

/** What has joined a job, a list. */
export const joinedKey = (shard: number, jobId: string): string =>
  `${joinableJobKey(shard)}:${jobId}`

export const merchantKey = (shard: number, merchantId: string): string =>
  `${tagOf(shard)}:merchant:${merchantId}`
export const codeKey = (shard: number, code: Digest): string => `${tagOf(shard)}:code:${code}`

// Limits, order codes and decisions share one tag whatever the number of shards: an order takes from its merchant's
// and its customer's limits and from its code all at once or not at all, and one script can only promise that for keys
// in one slot.

/** Who holds an order code: the `OrderId` of the order it was placed with. */
export const codeHolderKey = (code: Digest): string => `{u}:code-holder:${code}`

/** The order codes that an operator has opened again, a stream. */
export const releasedCodesKey = '{u}:released-codes'

/** What the placed orders of one day add up to, in one currency: a hash with a field for each merchant and customer. */
export const usageKey = (day: string, currency: string): string => `{u}:usage:${day}:${currency}`

export const usageField = (subject: 'merchant' | 'customer', id: string): string =>
  `${subject}:${subject === 'customer' ? digestOf(id) : id}`

/** The keys of these hashes, a sorted set by the steady time (ms) since which no order was counted in; 0 after each. */
export const usageDaysKey = '{u}:usage-days'

/** How the orders claimed in one minute (whole minutes since 1970) were decided. */
export const decidedKey = (minute: number): string => `{u}:decided:${minute}`

/** The minutes there are decisions of, a sorted set by the steady time (ms) none of their orders was open any more; 0 before. */
export const decidedMinutesKey = '{u}:decided-minutes'

/** A time that no step of a clock changes, by which both are forgotten. */
export const steadyTimeKey = '{u}:steady-time'

/** The recent orders of a merchant, or of the digest of a customer or a code: a sorted set of `OrderId`s by claim time in ms. */
export const recentKey = (
  shard: number,
  subject: 'merchant' | 'customer' | 'code',
  id: string | Digest,
): string => `${tagOf(shard)}:recent:${subject}:${id}`

/** Those of a shard that have grown large, a sorted set by the time (ms) until which each is kept. */
export const largeRecentKey = (shard: number): string => `${tagOf(shard)}:recent-large`

/** So many digests are kept: an order's code and customer are each asked for twice within milliseconds. */
const DIGESTS_MAX = 1_000

const digests = new Map<string, Digest>()

/**
 * Stands for a code or a customer in keys and jobs: 132 bits, so that two never share one, and personal data is not in clear.
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
