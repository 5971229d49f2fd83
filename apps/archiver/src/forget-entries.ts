import type { Archive, FoundOrder } from '@placeorder/archive'
import {
  type ArchiverStore,
  namesOf,
  type OrderId,
  type OrderToCompare,
  type OutboxEntry,
  orderIdOf,
} from '@placeorder/store'
import type { CopyObserver } from './copy-batch.ts'

export type ForgetDeps = {
  store: Pick<ArchiverStore, 'outbox' | 'states' | 'forgetting'>
  archive: Pick<Archive, 'lookUp'>
  archiveId: string
  /** How long an order stays in Redis after it was concluded and archived (ms). */
  keepMs: number
  observer: ForgetObserver
}

/** Whoever counts and logs what happens. */
export type ForgetObserver = Pick<CopyObserver, 'contradicted' | 'setAside'> & {
  forgotten: (orders: number) => void
}

/** `from`: the id up to which all was forgotten when the entries were read. */
export type EntriesToForget = { from: string; entries: OutboxEntry[] }

/** What was compared of an order: it may be forgotten from `dueAt` on (ms, by Redis's clock). */
type Compared = OrderToCompare & { dueAt: number }

/** A time that is ahead of our clock by more than this (ms) is of a clock that was wrong. */
export const AHEAD_MS_MAX = 60_000

/** An order before the last one that is archived, which the archive does not have. */
export class NotArchived extends Error {
  override readonly name = 'NotArchived'
}

/**
 * Forgets the orders of some entries of a shard's outbox, up to the first entry with one that is
 * not due. Nothing is forgotten that the archive has not just returned, equal to what is in Redis.
 * What it has otherwise is set aside and stays. Resolves with the id up to which all is forgotten;
 * undefined if that is none.
 *
 * @throws NotForgotten, NotArchived
 */
export async function forgetEntries(
  shard: number,
  { from, entries }: EntriesToForget,
  now: number,
  deps: ForgetDeps,
): Promise<string | undefined> {
  const { store, archiveId, observer } = deps
  const { version, compared } = await compareAll(shard, entries, now, deps)
  const dueAts = new Map(compared.map(({ orderId, dueAt }) => [orderId, dueAt]))
  const isDue = ({ orderIds }: OutboxEntry) =>
    orderIds.every((orderId) => (dueAts.get(orderId) ?? 0) <= now)
  const early = entries.findIndex((entry) => !isDue(entry))
  const due = early < 0 ? entries : entries.slice(0, early)
  const to = due.at(-1)?.id
  if (to === undefined) return undefined
  const inDue = new Set(due.flatMap(({ orderIds }) => orderIds))
  const orders = compared.filter(({ orderId }) => inDue.has(orderId))
  const dueAt = Math.max(0, ...orders.map((order) => order.dueAt))
  observer.forgotten(
    await store.forgetting.forget(shard, { archiveId, version, dueAt, orders, from, to }),
  )
  return to
}

/** The orders that are in Redis and in the archive, equal. Those that differ are set aside. */
async function compareAll(
  shard: number,
  entries: OutboxEntry[],
  now: number,
  { store, archive, archiveId, keepMs, observer }: ForgetDeps,
): Promise<{ version: number; compared: Compared[] }> {
  const orderIds = [...new Set(entries.flatMap((entry) => entry.orderIds))]
  const read = await store.forgetting.read(shard, orderIds)
  const kept = orderIds.filter((_, i) => read[i] !== undefined)
  const { version = 0, found } = await archive.lookUp({ archiveId, shard }, kept.map(namesOf))
  const byId = new Map(found.map((order) => [orderIdOf(order), order]))
  const compared: Compared[] = []
  const otherwise: OrderId[] = []
  const missing: OrderId[] = []
  for (const [i, orderId] of orderIds.entries()) {
    const here = read[i]
    const there = byId.get(orderId)
    if (here === undefined) continue // It was forgotten before.
    if (there === undefined) missing.push(orderId)
    else if (!(here instanceof Error) && isEqual(here, there))
      compared.push({ ...here, dueAt: keepMs + lastKept(here.concludedAt, there.archivedAt, now) })
    else otherwise.push(orderId)
  }
  await demandSetAside(shard, missing, store)
  for (const orderId of otherwise) observer.contradicted(orderId)
  const reason = 'the archive has it otherwise'
  await store.states.setAside(
    shard,
    otherwise.map((orderId) => ({ orderId, reason })),
  )
  return { version, compared }
}

/**
 * The later of both times: when an order was concluded by the clock of Redis, and archived by that
 * of PostgreSQL. Not one by a clock that was ahead: it would keep this order and all later ones.
 */
function lastKept(concludedAt: number, archivedAt: number, now: number): number {
  const right = [concludedAt, archivedAt].filter((at) => at <= now + AHEAD_MS_MAX)
  return right.length === 0 ? Math.max(concludedAt, archivedAt) : Math.max(...right)
}

const isEqual = (here: OrderToCompare, there: FoundOrder): boolean =>
  here.outcome === there.outcome &&
  here.terms === there.terms &&
  here.paymentRequestId === there.paymentRequestId

/**
 * What is not in the archive must have been set aside. Otherwise an archiver that died has it, and
 * another one takes it over; or the archive has lost it.
 */
async function demandSetAside(
  shard: number,
  orderIds: OrderId[],
  { states }: ForgetDeps['store'],
): Promise<void> {
  if (orderIds.length === 0) return
  const setAside = new Set((await states.listSetAside(shard)).map(({ orderId }) => orderId))
  const lost = orderIds.find((orderId) => !setAside.has(orderId))
  if (lost === undefined) return
  const { acquirerId, paymentId } = namesOf(lost)
  throw new NotArchived(
    `order ${paymentId} of acquirer ${acquirerId} is not in the archive, and later ones are`,
  )
}
