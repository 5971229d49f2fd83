import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import type { PlaceOrderRequest } from '@placeorder/protocol'
import { type OrderId, openKey, orderIdOf, shardOf } from '../keys.ts'
import type { Acquirers } from '../orders/acquirers.ts'
import type { Recall } from '../outbox/archived-orders.ts'
import { type FilterList, type Filters, noFilters } from '../outbox/filters.ts'
import type { Queues } from '../queue/queues.ts'
import type { RedisConnection } from '../redis/connection.ts'
import { readable } from '../redis/readable.ts'
import { type Accepted, acceptedByArchive, acceptedOf } from './accepted.ts'
import {
  type Claim,
  type ClaimedGroup,
  Claims,
  type ClaimsOptions,
  type GroupToClaim,
} from './claims.ts'
import { dataOf, joiningGroupOf } from './group-data.ts'
import { SendWindow } from './send-window.ts'

/**
 * A repeat checks that the job of its open order exists only if the order is older than this (ms):
 * the job of a younger one may not be enqueued yet.
 */
const JOB_ON_ITS_WAY_MS = 1_000

/** An order to accept, with what the claim stores of it. */
export type IncomingOrder = {
  order: PlaceOrderRequest
  clientId: string
  trace?: string | undefined
}

/** So long a job that could be joined is taken to be joinable (ms). An error costs a round trip. */
const JOINABLE_MS = 2_000

/** The most orders of a group. Measured: the longest of its scripts then blocks Redis for 2 ms. */
const GROUP_ORDERS_MAX = 128

/**
 * A larger group gets a job of its own: joining would save little, and another worker may be free.
 */
const JOINING_ORDERS_MAX = 32

type Pending = IncomingOrder & {
  orderId: OrderId
  signal: AbortSignal
  accepted: PromiseWithResolvers<Accepted>
}

type IntakeLane = {
  shard: number
  channel: string
  waiting: Pending[]
  sending: boolean
  open: number
  /** Most orders of the last group were new, so most of the next one probably are, too. */
  mostlyNew: boolean
  /** When the last group found a joinable job, by performance.now; so the next probably will. */
  joinableAt: number
  window: SendWindow
}

export type IntakeDeps = ClaimsOptions & {
  connection: RedisConnection
  queues: Queues
  filters: Filters
  /** Asks the archive for orders that Redis may have forgotten. */
  recall: Recall
  acquirers: Pick<Acquirers, 'note'>
  /** The channels of this ingress, by shard. */
  channels: string[]
  /** Called for a repeat of an open order: requeues the order if its job is lost. */
  requeue: (shard: number, orderId: OrderId, jobId: string) => Promise<void>
  /**
   * A group that is not announced within this time (ms) does not hold back the next one any longer.
   */
  lostMs: number
  /** Reports a fault by which no order is lost. */
  onFault: (error: unknown, what: string) => void
  /** Reports each group: how many orders it has and how long its claim took (ms). */
  onGroup: (orders: number, claimMs: number) => void
}

/**
 * Accepts orders, one call for each. Inside, the orders that arrive while an earlier group is being
 * claimed form the next group: one claim and one job for all. A single order is claimed at once.
 */
export class Intake {
  readonly #claims: Claims
  readonly #deps: IntakeDeps
  readonly #lanes: IntakeLane[]

  constructor(deps: IntakeDeps) {
    this.#deps = deps
    this.#claims = new Claims(deps.connection, deps)
    this.#lanes = deps.channels.map((channel, shard) => ({
      shard,
      channel,
      waiting: [],
      sending: false,
      open: 0,
      mostlyNew: true,
      joinableAt: Number.NEGATIVE_INFINITY,
      window: new SendWindow(deps.lostMs),
    }))
  }

  /**
   * Claims the order, or returns the state of the order that was claimed with this id before.
   *
   * Rejects when Redis does not answer, or `signal` aborts first: then the order may or may not
   * have been claimed.
   */
  accept(incoming: IncomingOrder, signal: AbortSignal): Promise<Accepted> {
    const orderId = orderIdOf(incoming.order)
    const lane = this.#lane(shardOf(orderId, this.#lanes.length))
    const pending: Pending = { ...incoming, orderId, signal, accepted: Promise.withResolvers() }
    const late = () => pending.accepted.reject(signal.reason)
    signal.addEventListener('abort', late, { once: true })
    lane.waiting.push(pending)
    if (lane.waiting.length >= GROUP_ORDERS_MAX) lane.window.openNow()
    void this.#send(lane)
    return pending.accepted.promise.finally(() => signal.removeEventListener('abort', late))
  }

  /** The open orders of all shards, as of the last claims or the last `countOpen`. */
  get openOrders(): number {
    return this.#lanes.reduce((sum, lane) => sum + lane.open, 0)
  }

  /**
   * Counts the open orders. Claims return the number, too, but there are none while too many are
   * open.
   */
  async countOpen(): Promise<void> {
    await Promise.all(
      this.#lanes.map(async (lane) => {
        lane.open = await this.#deps.connection.zcard(openKey(lane.shard))
      }),
    )
  }

  #lane(shard: number): IntakeLane {
    const lane = this.#lanes[shard]
    if (lane === undefined) throw new RangeError(`there is no shard ${shard}`)
    return lane
  }

  /** Called when a worker has announced an order: the next group of the shard may now be sent. */
  announced(shard: number, orderId: OrderId): void {
    this.#lanes[shard]?.window.noteAnnounced(orderId)
  }

  /** Sends groups while orders wait and the window allows it; the next group grows meanwhile. */
  async #send(lane: IntakeLane): Promise<void> {
    if (lane.sending) return
    lane.sending = true
    while (lane.waiting.length > 0) {
      await setImmediate() // All orders of this turn of the event loop share a group.
      const group = this.#inTime(lane.waiting.splice(0, GROUP_ORDERS_MAX))
      if (group.length === 0) continue
      const sent = lane.window.noteSent(group.map(({ orderId }) => orderId))
      const claimed = await this.#acceptGroup(lane, group).catch((error: unknown) => {
        for (const { accepted } of group) accepted.reject(error)
        return 0
      })
      lane.window.noteClaimed(sent, claimed)
      if (lane.waiting.length < GROUP_ORDERS_MAX) await lane.window.whenOpen()
    }
    lane.sending = false
  }

  /** The callers of others have their answer, U, already: they must not be claimed after that. */
  #inTime(group: Pending[]): Pending[] {
    return group.filter(({ signal, accepted }) => {
      if (signal.aborted) accepted.reject(signal.reason)
      return !signal.aborted
    })
  }

  #acceptGroup(lane: IntakeLane, group: Pending[]): Promise<number> {
    return this.#deps.filters.use(lane.shard, (filters) =>
      this.#claimAndEnqueue(lane, this.#inTime(group), { filters }),
    )
  }

  /**
   * Claims a group and enqueues its job right behind, in the same write to Redis: the job names all
   * orders of the group, and a worker skips those that name another job. If the orders can join a
   * running job, or the last group was mostly repeats, the claim is awaited first: there will
   * probably be nothing to enqueue. Resolves with the number of new orders.
   */
  async #claimAndEnqueue(
    lane: IntakeLane,
    group: Pending[],
    { filters, notFoundAt }: { filters: FilterList; notFoundAt?: string },
  ): Promise<number | 'STALE'> {
    if (group.length === 0) return 0
    const jobId = `g-${randomUUID()}`
    const startedAt = performance.now()
    const isLookedUp = notFoundAt !== undefined
    const wasJoinable = startedAt - lane.joinableAt < JOINABLE_MS
    const joining = wasJoinable && group.length <= JOINING_ORDERS_MAX && !isLookedUp
    const atOnce = lane.mostlyNew && !joining
    const [claimedGroup] = await Promise.all([
      this.#claimGroup(lane, group, { jobId, joining, filters, notFoundAt }),
      atOnce ? this.#enqueue(lane, group, jobId) : undefined,
    ])
    if (claimedGroup === 'STALE') return claimedGroup
    const { claims, joinable } = claimedGroup
    this.#deps.onGroup(group.length, performance.now() - startedAt)
    const inState = (state: Claim['state']) => group.filter((_, i) => claims[i]?.state === state)
    const claimed = inState('NEW')
    // A Cluster client sends a broken claim again: it then finds its own orders, which have joined
    // no other job.
    const again = group.filter((_, i) => claims[i]?.state === 'OPEN' && claims[i]?.jobId === jobId)
    const toEnqueue = joining && joinable ? again : [...claimed, ...again]
    if (toEnqueue.length > 0 && !atOnce) await this.#enqueue(lane, toEnqueue, jobId)
    if (!isLookedUp) lane.mostlyNew = 2 * claimed.length > group.length
    lane.joinableAt = joinable ? performance.now() : Number.NEGATIVE_INFINITY
    for (const [i, pending] of group.entries())
      if (claims[i]?.state !== 'MAYBE') this.#settleAccepted(lane, pending, claims[i])
    const maybe = inState('MAYBE')
    // Not awaited: however long the archive takes, the next group does not wait for it.
    if (maybe.length > 0) void this.#recall(lane, maybe, claimedGroup)
    return claimed.length
  }

  /** Asks the archive for orders that may be forgotten; those that it has not are claimed. */
  async #recall(
    lane: IntakeLane,
    group: Pending[],
    { archiveId, version, at }: ClaimedGroup,
  ): Promise<void> {
    try {
      const orderIds = group.map(({ orderId }) => orderId)
      const recalled = await this.#deps.recall({ shard: lane.shard, orderIds, archiveId, version })
      const absent = group.filter(({ order, accepted }, i) => {
        const answer = recalled[i]
        assert(answer !== undefined, 'the archive answers for each order')
        const known = acceptedByArchive(answer, order)
        if (known instanceof Error) accepted.reject(known)
        else if (known !== undefined) accepted.resolve(known)
        return known === undefined
      })
      await this.#claimAndEnqueue(lane, this.#inTime(absent), {
        filters: noFilters,
        notFoundAt: at,
      })
    } catch (error) {
      for (const { accepted } of group) accepted.reject(error)
    }
  }

  #settleAccepted(
    lane: IntakeLane,
    { orderId, accepted }: Pending,
    claim: Claim | undefined,
  ): void {
    assert(claim !== undefined, 'a claim has an answer for each of its orders')
    const state = readable(() => acceptedOf(claim))
    if (state instanceof Error) accepted.reject(state)
    else accepted.resolve(state)
    if (claim.state !== 'OPEN' || claim.ageMs < JOB_ON_ITS_WAY_MS) return
    const { requeue, onFault } = this.#deps
    requeue(lane.shard, orderId, claim.jobId).catch((error) =>
      onFault(error, 'a repeat could not requeue its order'),
    )
  }

  async #claimGroup(
    lane: IntakeLane,
    orders: Pending[],
    how: Pick<GroupToClaim, 'jobId' | 'filters' | 'notFoundAt'> & { joining: boolean },
  ): Promise<ClaimedGroup | 'STALE'> {
    const { acquirers, onFault } = this.#deps
    acquirers
      .note(orders.map(({ order }) => order))
      .catch((error) => onFault(error, 'an acquirer was not noted; its next order will be'))
    const { joining, ...rest } = how
    const joins = joining ? joiningGroupOf(orders) : undefined
    const { shard, channel } = lane
    const claimed = await this.#claims.claim({ shard, channel, orders, joins, ...rest })
    if (claimed !== 'STALE') lane.open = claimed.open
    return claimed
  }

  async #enqueue(lane: IntakeLane, claimed: Pending[], jobId: string): Promise<void> {
    await this.#deps.queues
      .enqueue(lane.shard, jobId, dataOf(claimed))
      // The claimed orders name this job: if it is not enqueued, they are requeued.
      .catch((error) =>
        this.#deps.onFault(error, 'a group of claimed orders could not be enqueued'),
      )
  }
}
