import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { type PlaceOrderRequest, packRequest, termsOf } from '@placeorder/protocol'
import { joinableJobKey, type OrderId, openKey, orderIdOf, orderKey, shardOf } from '../keys.ts'
import type { Acquirers } from '../orders/acquirers.ts'
import { lookupIdsOf } from '../orders/lookup-ids.ts'
import { type GroupData, JOB_VERSION, type JoiningGroup } from '../queue/job-rounds.ts'
import type { Queues } from '../queue/queues.ts'
import type { RedisConnection } from '../redis/connection.ts'
import { readable } from '../redis/readable.ts'
import { Script } from '../redis/script.ts'
import {
  type Accepted,
  acceptedOf,
  type Claim,
  ClaimReply,
  EarlierClaim,
  newClaim,
} from './claim.ts'
import { SendWindow } from './send-window.ts'

/**
 * A repeat looks after the job answerable for an open order only when the order is older than this (ms): a younger
 * one's job may still be on its way.
 */
const JOB_ON_ITS_WAY_MS = 1_000

/** An order on its way in, with what the claim stores of it. */
export type IncomingOrder = {
  order: PlaceOrderRequest
  clientId: string
  trace?: string | undefined
}

/** How far one group may grow. Measured: the longest of its scripts then holds up everybody else at Redis for 2 ms. */
const GROUP_ORDERS_MAX = 128

/** A larger group has a job of its own: it would save little, and another worker may have time for it. */
const JOINING_ORDERS_MAX = 32

type Pending = IncomingOrder & {
  orderId: OrderId
  signal: AbortSignal
  taken: PromiseWithResolvers<Accepted>
}

type IntakeLane = {
  shard: number
  channel: string
  waiting: Pending[]
  sending: boolean
  open: number
  /** Most orders of the last group were new; those of the next one then are too, most likely. */
  mostlyNew: boolean
  /** There was a job for the last group to join; there is one for the next, most likely. */
  joining: boolean
  window: SendWindow
}

export type IntakeDeps = {
  connection: RedisConnection
  queues: Queues
  acquirers: Pick<Acquirers, 'note'>
  /** The channel this ingress hears of each shard; its position is the shard. */
  channels: string[]
  /** Called with a repeat of an open order: makes sure that some job is answerable for it. */
  requeue: (shard: number, orderId: OrderId, jobId: string) => Promise<void>
  /** A group of which nothing was heard for so long (ms) holds the next one back no longer. */
  lostMs: number
  /** Told of what went wrong without an order being lost by it. */
  onFault: (error: unknown, what: string) => void
  /** Told of each group: how many orders it has and how long its claim took (ms). */
  onGroup: (orders: number, claimMs: number) => void
}

/**
 * Takes orders in. Outside it is one call for one order; inside, those that arrive while an earlier group is on its way or
 * being decided travel together: one claim and one job for all of them. Alone, an order goes at once.
 */
export class Intake {
  readonly #claim = new Script('claim')
  readonly #deps: IntakeDeps
  readonly #lanes: IntakeLane[]

  constructor(deps: IntakeDeps) {
    this.#deps = deps
    this.#lanes = deps.channels.map((channel, shard) => ({
      shard,
      channel,
      waiting: [],
      sending: false,
      open: 0,
      mostlyNew: true,
      joining: false,
      window: new SendWindow(deps.lostMs),
    }))
  }

  /**
   * Claims the order, or tells how the order that has it stands.
   *
   * Rejects when Redis cannot tell, or `signal` aborts first: then the order may or may not have been taken in.
   */
  accept(incoming: IncomingOrder, signal: AbortSignal): Promise<Accepted> {
    const orderId = orderIdOf(incoming.order)
    const lane = this.#lane(shardOf(orderId, this.#lanes.length))
    const pending: Pending = { ...incoming, orderId, signal, taken: Promise.withResolvers() }
    const late = () => pending.taken.reject(signal.reason)
    signal.addEventListener('abort', late, { once: true })
    lane.waiting.push(pending)
    if (lane.waiting.length >= GROUP_ORDERS_MAX) lane.window.openNow()
    void this.#send(lane)
    return pending.taken.promise.finally(() => signal.removeEventListener('abort', late))
  }

  /** The open orders of all shards, as of the last claims or the last `countOpen`. */
  get openOrders(): number {
    return this.#lanes.reduce((sum, lane) => sum + lane.open, 0)
  }

  /** Counts the open orders. Claims tell how many there are, but none come while too many are open. */
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

  /** Called with what a worker has announced: the next group of the shard need not be held back any longer. */
  announced(shard: number, orderId: OrderId): void {
    this.#lanes[shard]?.window.noteAnnounced(orderId)
  }

  /** Sends group after group while orders wait, as far as the window allows: the next one gathers meanwhile. */
  async #send(lane: IntakeLane): Promise<void> {
    if (lane.sending) return
    lane.sending = true
    while (lane.waiting.length > 0) {
      await setImmediate() // Whatever this turn of the event loop brings travels together.
      const group = lane.waiting
        .splice(0, GROUP_ORDERS_MAX)
        .filter((pending) => !this.#tooLate(pending))
      if (group.length === 0) continue
      const sent = lane.window.noteSent(group.map(({ orderId }) => orderId))
      const claimed = await this.#acceptGroup(lane, group).catch((error: unknown) => {
        for (const { taken } of group) taken.reject(error)
        return 0
      })
      lane.window.noteClaimed(sent, claimed)
      if (lane.waiting.length < GROUP_ORDERS_MAX) await lane.window.whenOpen()
    }
    lane.sending = false
  }

  /** Whoever waited for it was answered already: leaving it out keeps the promise that nothing is placed behind a U. */
  #tooLate({ signal, taken }: Pending): boolean {
    if (signal.aborted) taken.reject(signal.reason)
    return signal.aborted
  }

  /**
   * Claims a group, and sends its job right behind, so that Redis takes both in one go: the job names all orders of the
   * group, and a worker leaves those alone that name another job. Where orders can join the job of others, or a group was mostly
   * repeats, the claim is awaited first: most likely there is nothing to enqueue. Resolves with how many orders were new.
   */
  async #acceptGroup(lane: IntakeLane, group: Pending[]): Promise<number> {
    const jobId = `g-${randomUUID()}`
    const startedAt = performance.now()
    const joining = lane.joining && group.length <= JOINING_ORDERS_MAX
    const atOnce = lane.mostlyNew && !joining
    const [{ claims, joinable }] = await Promise.all([
      this.#claimGroup(lane, group, jobId, joining),
      atOnce ? this.#enqueue(lane, group, jobId) : undefined,
    ])
    this.#deps.onGroup(group.length, performance.now() - startedAt)
    const claimed = group.filter((_, i) => claims[i]?.state === 'NEW')
    // On a Cluster a claim that was cut off is sent again: it finds its own orders then, and has told no other job of them.
    const again = group.filter((_, i) => claims[i]?.state === 'OPEN' && claims[i]?.jobId === jobId)
    const toEnqueue = joining && joinable ? again : [...claimed, ...again]
    if (toEnqueue.length > 0 && !atOnce) await this.#enqueue(lane, toEnqueue, jobId)
    lane.mostlyNew = 2 * claimed.length > group.length
    lane.joining = joinable
    for (const [i, pending] of group.entries()) this.#settleAccepted(lane, pending, claims[i])
    return claimed.length
  }

  #settleAccepted(lane: IntakeLane, { orderId, taken }: Pending, claim: Claim | undefined): void {
    assert(claim !== undefined, 'a claim has an answer for each of its orders')
    const stands = readable(() => acceptedOf(claim))
    if (stands instanceof Error) taken.reject(stands)
    else taken.resolve(stands)
    if (claim.state !== 'OPEN' || claim.ageMs < JOB_ON_ITS_WAY_MS) return
    const { requeue: mend, onFault } = this.#deps
    mend(lane.shard, orderId, claim.jobId).catch((error) =>
      onFault(error, 'a repeat could not mend its order'),
    )
  }

  /** `joinable`: there was a job that orders could join; with `joining`, they did. */
  async #claimGroup(
    lane: IntakeLane,
    group: Pending[],
    jobId: string,
    joining: boolean,
  ): Promise<{ claims: Claim[]; joinable: boolean }> {
    const { shard, channel } = lane
    const keys = [
      openKey(shard),
      joinableJobKey(shard),
      ...group.map(({ orderId }) => orderKey(shard, orderId)),
    ]
    const joins: JoiningGroup | undefined = joining
      ? { v: JOB_VERSION, ...dataOf(group), at: Date.now() }
      : undefined
    const claims = group.map(({ order }) => newClaim(order, jobId))
    const args = group.flatMap(({ orderId, order, clientId }, i) => [
      orderId,
      termsOf(order),
      packRequest(order),
      clientId,
      claims[i]?.paymentRequestId ?? '',
    ])
    const told = joins === undefined ? '' : JSON.stringify(joins)
    const { acquirers, connection, onFault } = this.#deps
    acquirers
      .note(group.map(({ order }) => order))
      .catch((error) => onFault(error, 'an acquirer was not noted; its next order does it'))
    const [open, joinable, ...words] = ClaimReply.parse(
      await this.#claim.runNow(connection, keys, [jobId, channel, told, Date.now(), ...args]),
    )
    lane.open = open
    for (let at = 0; at < words.length; at += 6) {
      const { position, ...claim } = EarlierClaim.parse(words.slice(at, at + 6))
      claims[position - 1] = claim
    }
    return { claims, joinable: joinable === 1 }
  }

  async #enqueue(lane: IntakeLane, claimed: Pending[], jobId: string): Promise<void> {
    await this.#deps.queues
      .enqueue(lane.shard, jobId, dataOf(claimed))
      // They are claimed and name this job; mend enqueues them when it does not come to exist.
      .catch((error) =>
        this.#deps.onFault(error, 'a group of claimed orders could not be enqueued'),
      )
  }
}

/** What a job is told of orders. */
function dataOf(group: Pending[]): GroupData & Pick<JoiningGroup, 'subjects'> {
  const traces = group.flatMap(({ orderId, trace }) =>
    trace === undefined ? [] : [[orderId, trace] as const],
  )
  return {
    orderIds: group.map(({ orderId }) => orderId),
    subjects: group.map(({ order }) => {
      const { merchant, code, customer } = lookupIdsOf(order)
      return customer === undefined ? [merchant, code] : [merchant, code, customer]
    }),
    ...(traces.length > 0 ? { traces: Object.fromEntries(traces) } : {}),
  }
}
