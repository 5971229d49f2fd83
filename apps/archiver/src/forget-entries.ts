import type { Archive, FoundOrder } from '@placeorder/archive'
import {
  type ArchiverStore,
  NotForgotten,
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

/** A time that is ahead of our clock by more than this (ms) is of a clock that was wrong. */
export const AHEAD_MS_MAX = 60_000

/** An order before the last one that is archived, which the archive does not have. */
export class NotArchived extends Error {
  override readonly name = 'NotArchived'
}

/**
 * Forgets the orders of some entries of a shard's outbox, up to the first entry with one that is
 * not due. Nothing is forgotten that the archive has not just returned: Redis compares that with
 * its record while it forgets. What the archive has otherwise is set aside and stays. Resolves with
 * the id up to which all is forgotten; undefined if that is none.
 *
 * @throws NotForgotten, NotArchived
 */
export async function forgetEntries(
  shard: number,
  { from, entries }: EntriesToForget,
  now: number,
  deps: ForgetDeps,
): Promise<string | undefined> {
  const { store, archive, archiveId, keepMs, observer } = deps
  const orderIds = [...new Set(entries.flatMap((entry) => entry.orderIds))]
  const { version = 0, found } = await archive.lookUp({ archiveId, shard }, orderIds.map(namesOf))
  const archived = new Map(found.map((order) => [orderIdOf(order), order]))
  const missing = orderIds.filter((orderId) => !archived.has(orderId))
  await demandSetAside(shard, missing, store)

  const dueAtOf = (order: FoundOrder | undefined) =>
    order === undefined ? 0 : keepMs + lastKept(order, now)
  const isEarly = ({ orderIds }: OutboxEntry) =>
    orderIds.some((orderId) => dueAtOf(archived.get(orderId)) > now)
  const early = entries.findIndex(isEarly)
  const due = early < 0 ? entries : entries.slice(0, early)
  const to = due.at(-1)?.id
  if (to === undefined) return undefined
  const inDue = new Set(due.flatMap(({ orderIds }) => orderIds))
  const orders = found
    .map((order) => ({ ...order, orderId: orderIdOf(order) }))
    .filter(({ orderId }) => inDue.has(orderId))
  const dueAt = Math.max(0, ...orders.map(dueAtOf))
  const forget = () =>
    store.forgetting.forget(shard, { archiveId, version, dueAt, orders, from, to })
  observer.forgotten(
    await forget().catch(async (error: unknown) => {
      if (!(error instanceof NotForgotten && error.why === 'CHANGED')) throw error
      await setAsideOtherwise(shard, orders, deps)
      return forget()
    }),
  )
  return to
}

/** Sets those orders aside that the archive has otherwise than Redis. */
async function setAsideOtherwise(
  shard: number,
  orders: (FoundOrder & { orderId: OrderId })[],
  { store, observer }: ForgetDeps,
): Promise<void> {
  const read = await store.forgetting.read(
    shard,
    orders.map(({ orderId }) => orderId),
  )
  const otherwise = orders.filter((there, i) => {
    const here = read[i]
    return here !== undefined && (here instanceof Error || !isEqual(here, there))
  })
  for (const { orderId } of otherwise) observer.contradicted(orderId)
  const reason = 'the archive has it otherwise'
  await store.states.setAside(
    shard,
    otherwise.map(({ orderId }) => ({ orderId, reason })),
  )
}

/**
 * The later of both times: when an order was concluded by the clock of Redis, and archived by that
 * of PostgreSQL. Not one by a clock that was ahead: it would keep this order and all later ones.
 */
function lastKept({ concludedAt, archivedAt }: FoundOrder, now: number): number {
  const right = [concludedAt, archivedAt].filter((at) => at <= now + AHEAD_MS_MAX)
  return right.length === 0 ? Math.max(concludedAt, archivedAt) : Math.max(...right)
}

const isEqual = (here: OrderToCompare, there: FoundOrder): boolean =>
  here.outcome === there.outcome &&
  here.terms === there.terms &&
  here.paymentRequestId === there.paymentRequestId &&
  here.concludedAt === there.concludedAt

/**
 * What is not in the archive was forgotten before, or must have been set aside. Otherwise an
 * archiver that died has it, and another one takes it over; or the archive has lost it.
 */
async function demandSetAside(
  shard: number,
  orderIds: OrderId[],
  { states, forgetting }: ForgetDeps['store'],
): Promise<void> {
  if (orderIds.length === 0) return
  const read = await forgetting.read(shard, orderIds)
  const setAside = new Set((await states.listSetAside(shard)).map(({ orderId }) => orderId))
  const lost = orderIds.find((orderId, i) => read[i] !== undefined && !setAside.has(orderId))
  if (lost === undefined) return
  const { acquirerId, paymentId } = namesOf(lost)
  throw new NotArchived(
    `order ${paymentId} of acquirer ${acquirerId} is not in the archive, and later ones are`,
  )
}
