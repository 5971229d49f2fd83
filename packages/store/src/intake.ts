import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { type FinalCode, finalCode, type PlaceOrderRequest, packRequest, termsOf } from '@placeorder/protocol'
import { z } from 'zod'
import { openKey, orderKey, shardOf } from './keys.ts'
import type { Queues } from './queue.ts'
import type { Connection } from './redis.ts'
import { Script } from './script.ts'

/** How an order stands once it has been handed in. */
export type Taken =
  | { kind: 'OPEN'; paymentRequestId: string; repeated: boolean }
  | { kind: 'CONCLUDED'; paymentRequestId: string; outcome: FinalCode }
  | { kind: 'INCONSISTENT' }

/**
 * A repeat looks after the job answerable for an open order only when the order is older than this (ms): a younger
 * one's job may still be on its way.
 */
const JOB_ON_ITS_WAY_MS = 1_000

/** An order on its way in, with what the claim stores of it. */
export type Incoming = { order: PlaceOrderRequest; clientId: string; trace?: string | undefined }

/**
 * How far one group may grow: past this a group's reply is slower than two groups in a row.
 * Measured: see the bench.
 */
const GROUP_ORDERS_MAX = 128

type Pending = Incoming & { signal: AbortSignal; taken: PromiseWithResolvers<Taken> }

type Lane = { shard: number; channel: string; waiting: Pending[]; sending: boolean; open: number }

export type IntakeDeps = {
  connection: Connection
  queues: Queues
  /** The channel this ingress hears of each shard; its position is the shard. */
  channels: string[]
  /** Called with a repeat of an open order: makes sure that some job is answerable for it. */
  mend: (shard: number, paymentId: string, jobId: string) => Promise<void>
  /** Told of what went wrong without an order being lost by it. */
  onFault: (error: unknown, what: string) => void
  /** Told of each group: how many orders it has and how long its claim took (ms). */
  onGroup: (orders: number, claimMs: number) => void
}

/**
 * Takes orders in. Outside it is one call for one order; inside, those that arrive while earlier groups are on their
 * way travel together: one claim and one job for all of them. No timer delays a group: alone, an order goes at once.
 */
export class Intake {
  readonly #claim = new Script('claim')
  readonly #deps: IntakeDeps
  readonly #lanes: Lane[]

  constructor(deps: IntakeDeps) {
    this.#deps = deps
    this.#lanes = deps.channels.map((channel, shard) => ({
      shard,
      channel,
      waiting: [],
      sending: false,
      open: 0,
    }))
  }

  /**
   * Claims the order's paymentId, or tells how the order that has it stands.
   *
   * Rejects when Redis cannot tell, or `signal` aborts first: then the order may or may not have been taken in.
   */
  takeIn(incoming: Incoming, signal: AbortSignal): Promise<Taken> {
    const lane = this.#lane(shardOf(incoming.order.paymentId, this.#lanes.length))
    const pending: Pending = { ...incoming, signal, taken: Promise.withResolvers() }
    const late = () => pending.taken.reject(signal.reason)
    signal.addEventListener('abort', late, { once: true })
    lane.waiting.push(pending)
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

  #lane(shard: number): Lane {
    const lane = this.#lanes[shard]
    if (lane === undefined) throw new RangeError(`there is no shard ${shard}`)
    return lane
  }

  /**
   * Sends group after group while orders wait; one at a time, so that the next one gathers meanwhile. Measured at 64
   * orders in hand: with two on their way, groups have 10 orders instead of 16, an order costs Redis a seventh more, and
   * waits as long.
   */
  async #send(lane: Lane): Promise<void> {
    if (lane.sending) return
    lane.sending = true
    while (lane.waiting.length > 0) {
      await setImmediate() // Whatever this turn of the event loop brings travels together.
      const group = lane.waiting.splice(0, GROUP_ORDERS_MAX).filter((pending) => !this.#tooLate(pending))
      if (group.length === 0) continue
      await this.#takeGroup(lane, group).catch((error: unknown) => {
        for (const { taken } of group) taken.reject(error)
      })
    }
    lane.sending = false
  }

  /** Whoever waited for it was answered already: leaving it out keeps the promise that nothing is placed behind a U. */
  #tooLate({ signal, taken }: Pending): boolean {
    if (signal.aborted) taken.reject(signal.reason)
    return signal.aborted
  }

  async #takeGroup(lane: Lane, group: Pending[]): Promise<void> {
    const jobId = `g-${randomUUID()}`
    const startedAt = performance.now()
    const claims = await this.#claimGroup(lane, group, jobId)
    this.#deps.onGroup(group.length, performance.now() - startedAt)
    const claimed = group.filter((_, i) => claims[i]?.state === 'NEW')
    if (claimed.length > 0) await this.#enqueue(lane, claimed, jobId)
    for (const [i, pending] of group.entries()) this.#tell(lane, pending, claims[i])
  }

  #tell(lane: Lane, { order, taken }: Pending, claim: Claim | undefined): void {
    assert(claim !== undefined, 'a claim has an answer for each of its orders')
    taken.resolve(takenOf(claim))
    if (claim.state !== 'OPEN' || claim.ageMs < JOB_ON_ITS_WAY_MS) return
    const { mend, onFault } = this.#deps
    mend(lane.shard, order.paymentId, claim.jobId).catch((error) =>
      onFault(error, 'a repeat could not mend its order'),
    )
  }

  async #claimGroup(lane: Lane, group: Pending[], jobId: string): Promise<Claim[]> {
    const keys = [openKey(lane.shard), ...group.map(({ order }) => orderKey(lane.shard, order.paymentId))]
    const args = group.flatMap(({ order, clientId }) => [
      order.paymentId,
      termsOf(order),
      packRequest(order),
      clientId,
      order.paymentRequestId ?? randomUUID(),
    ])
    const [open, ...words] = ClaimReply.parse(
      await this.#claim.run(this.#deps.connection, keys, [jobId, lane.channel, ...args]),
    )
    lane.open = open
    return group.map((_, i) => Claim.parse(words.slice(5 * i, 5 * i + 5)))
  }

  async #enqueue(lane: Lane, claimed: Pending[], jobId: string): Promise<void> {
    const traces = claimed.flatMap(({ order, trace }) =>
      trace === undefined ? [] : [[order.paymentId, trace] as const],
    )
    await this.#deps.queues
      .enqueue(lane.shard, jobId, {
        paymentIds: claimed.map(({ order }) => order.paymentId),
        ...(traces.length > 0 ? { traces: Object.fromEntries(traces) } : {}),
      })
      // They are claimed and name this job; mend enqueues them when it does not come to exist.
      .catch((error) => this.#deps.onFault(error, 'a group of claimed orders could not be enqueued'))
  }
}

const ClaimReply = z.tuple([z.coerce.number()], z.string())

const Claim = z
  .tuple([
    z.enum(['NEW', 'OPEN', 'CONCLUDED', 'INCONSISTENT']),
    z.string(),
    z.string(),
    z.string(),
    z.coerce.number(),
  ])
  .transform(([state, paymentRequestId, outcome, jobId, ageMs]) => ({
    state,
    paymentRequestId,
    outcome,
    jobId,
    ageMs,
  }))
type Claim = z.output<typeof Claim>

function takenOf({ state, paymentRequestId, outcome }: Claim): Taken {
  if (state === 'INCONSISTENT') return { kind: 'INCONSISTENT' }
  if (state === 'CONCLUDED') return { kind: 'CONCLUDED', paymentRequestId, outcome: finalCode(outcome) }
  return { kind: 'OPEN', paymentRequestId, repeated: state === 'OPEN' }
}
