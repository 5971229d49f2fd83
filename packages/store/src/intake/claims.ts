import { randomUUID } from 'node:crypto'
import { type PlaceOrderRequest, packRequest, termsOf } from '@placeorder/protocol'
import { z } from 'zod'
import { type ClaimCounts, countsIn } from '../decide/claim-counts.ts'
import {
  archiveKey,
  forgottenKey,
  joinableJobKey,
  type OrderId,
  openKey,
  orderKey,
  recentUsedKey,
} from '../keys.ts'
import { lookupIdsFrom } from '../orders/lookup-ids.ts'
import { type FilterList, readsOf } from '../outbox/filters.ts'
import { type JoiningGroup, ROUND_MS } from '../queue/job-rounds.ts'
import type { RedisConnection } from '../redis/connection.ts'
import { Script } from '../redis/script.ts'

/**
 * An order that is not in the archive is claimed within this time (ms) after Redis said that it may
 * have forgotten it. What is claimed meanwhile is forgotten two minutes after its conclusion at the
 * earliest, so that it still has a record.
 */
const LOOKED_UP_MS_MAX = 60_000

/** How an order was found by its claim; an order that may be forgotten is not claimed. */
export type Claim = {
  state: 'NEW' | 'OPEN' | 'CONCLUDED' | 'INCONSISTENT' | 'UNREADABLE' | 'MAYBE'
  paymentRequestId: string
  outcome: string
  jobId: string
  ageMs: number
}

/** Orders of one shard that are claimed together. */
export type GroupToClaim = {
  shard: number
  /** Where the ingress listens for their outcomes. */
  channel: string
  jobId: string
  /** The filters that the shard is known to have. */
  filters: FilterList
  orders: { orderId: OrderId; order: PlaceOrderRequest; clientId: string }[]
  /** Joins the joinable job with this, if there is one. */
  joins?: JoiningGroup | undefined
  /**
   * For orders that are not in the archive: the time of the claim that found them MAYBE. They are
   * claimed with `noFilters`.
   */
  notFoundAt?: string | undefined
}

export type ClaimedGroup = {
  /** In the order of the group. */
  claims: Claim[]
  /** How many orders of the shard are open. */
  open: number
  /** There was a joinable job; with `joins`, the group has joined it. */
  joinable: boolean
  /** The time by Redis's clock, in ms. */
  at: string
  /** The archive that forgotten orders are in, and its lowest version that has all of them. */
  archiveId: string
  version: number
}

export type ClaimsOptions = {
  /** Where one node holds all keys. */
  counts?: ClaimCounts | undefined
  /** For tests that forget orders within seconds. */
  lookedUpMsMax?: number | undefined
}

/** Claims groups of orders. */
export class Claims {
  readonly #own = new Script('claim', ['maybe-forgotten'])
  readonly #joining = new Script('claim', ['maybe-forgotten', 'count-recent'])
  readonly #connection: RedisConnection
  readonly #counts: ClaimCounts | undefined
  readonly #lookedUpMsMax: number

  constructor(connection: RedisConnection, options: ClaimsOptions = {}) {
    this.#connection = connection
    this.#counts = options.counts
    this.#lookedUpMsMax = options.lookedUpMsMax ?? LOOKED_UP_MS_MAX
  }

  /**
   * Claims a group in one step. It may run twice. Resolves with STALE if the shard has other
   * filters by now: then nothing was claimed.
   */
  async claim(group: GroupToClaim): Promise<ClaimedGroup | 'STALE'> {
    const { shard, jobId, orders } = group
    const { generation, filters } = group.filters
    const orderIds = orders.map(({ orderId }) => orderId)
    const claims = orders.map(({ order }) => newClaim(order, jobId))
    const subjects = (group.joins?.subjects ?? []).flatMap((ids) => lookupIdsFrom(ids) ?? [])
    const plan = subjects.length > 0 ? this.#counts?.plan(shard, subjects) : undefined
    const keys = [
      openKey(shard),
      joinableJobKey(shard),
      archiveKey(shard),
      recentUsedKey(shard),
      ...filters.map(({ n }) => forgottenKey(shard, n)),
      ...orderIds.map((orderId) => orderKey(shard, orderId)),
      ...(plan?.keys ?? []),
    ]
    const args = [
      jobId,
      group.channel,
      group.joins === undefined ? '' : JSON.stringify(group.joins),
      ROUND_MS,
      Date.now(),
      generation,
      filters.length,
      group.notFoundAt ?? '',
      this.#lookedUpMsMax,
      orders.length,
      plan?.used ?? '',
      plan?.sets ?? '',
      ...readsOf(orderIds, filters),
      ...orders.flatMap(({ orderId, order, clientId }, i) => [
        orderId,
        termsOf(order),
        packRequest(order),
        clientId,
        claims[i]?.paymentRequestId ?? '',
      ]),
    ]
    // A job may be sent right behind, unless the group is to join one.
    const reply =
      group.joins === undefined
        ? await this.#own.runNow(this.#connection, keys, args)
        : await this.#joining.run(this.#connection, keys, args)
    if (reply === 'STALE') return reply
    if (reply === 'LATE') throw new Error('an order was looked up in the archive too long ago')
    const [open, joinable, at, archiveId, version, used, counts, ...words] = Reply.parse(reply)
    if (group.joins !== undefined) this.#counts?.note(shard, used, Number(at))
    if (counts !== '') plan?.note(countsIn(counts), Number(at))
    for (let from = 0; from < words.length; from += 6) {
      const { position, ...claim } = EarlierClaim.parse(words.slice(from, from + 6))
      claims[position - 1] = claim
    }
    return { claims, open, joinable: joinable === 1, at, archiveId, version }
  }
}

/** The claim of an order that was not claimed before. */
const newClaim = (
  { paymentRequestId = randomUUID() }: PlaceOrderRequest,
  jobId: string,
): Claim => ({ state: 'NEW', paymentRequestId, outcome: '', jobId, ageMs: 0 })

/** What precedes the orders that were claimed before. */
const Reply = z.tuple(
  [
    z.coerce.number(),
    z.number(),
    z.string(),
    z.string(),
    z.coerce.number(),
    z.string(),
    z.string(),
  ],
  z.union([z.string(), z.number()]),
)

const EarlierClaim = z
  .tuple([
    z.number(),
    z.enum(['OPEN', 'CONCLUDED', 'INCONSISTENT', 'UNREADABLE', 'MAYBE']),
    z.string(),
    z.string(),
    z.string(),
    z.coerce.number(),
  ])
  .transform(([position, state, paymentRequestId, outcome, jobId, ageMs]) => ({
    position,
    state,
    paymentRequestId,
    outcome,
    jobId,
    ageMs,
  }))
