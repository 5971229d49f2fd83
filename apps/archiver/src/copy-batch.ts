import {
  type Archive,
  type OrderToArchive,
  orderToArchive,
  type RedisSide,
  RedisWentBack,
} from '@placeorder/archive'
import {
  type ArchiverStore,
  type ConcludedRecord,
  digestOf,
  NotReplicated,
  namesOf,
  type OrderId,
  type OutboxEntry,
  orderIdOf,
} from '@placeorder/store'

export type CopyDeps = {
  store: Pick<ArchiverStore, 'outbox' | 'states'> & {
    records: Pick<ArchiverStore['records'], 'read'>
    durability: Pick<ArchiverStore['durability'], 'replicated' | 'entryReplicated'>
  }
  archive: Pick<Archive, 'write' | 'compare' | 'lookUp'>
  /** Names our rows in a database that several installations may share. */
  archiveId: string
  observer: CopyObserver
}

/** Whoever counts and logs what happens. */
export type CopyObserver = {
  copied: (orders: number, seconds: number) => void
  /** Redis and the archive have an order otherwise. */
  contradicted: (orderId: OrderId) => void
  /** An order cannot be archived, and stays in Redis. */
  setAside: (orderId: OrderId, reason: string) => void
}

type SetAside = { orderId: OrderId; reason: string }

/** Entries of a shard's outbox, with what is to be copied of their orders. */
export type ReadBatch = {
  entries: OutboxEntry[]
  orders: OrderToArchive[]
  /** Those whose record cannot be read. */
  unreadable: SetAside[]
}

/**
 * Reads the orders of some entries of a shard's outbox.
 *
 * @throws NotReplicated: too few replicas have the orders and the last entry now
 */
export async function readBatch(
  shard: number,
  entries: OutboxEntry[],
  deps: CopyDeps,
): Promise<ReadBatch> {
  const { records, unreadable } = await readRecords(shard, entries, deps)
  await demandReplicated(shard, records, lastOf(entries), deps.store)
  const orders = records.map((record) => orderToArchive(record, digestOf)).sort(byKey)
  return { entries, orders, unreadable }
}

/**
 * Copies what was read, and acknowledges the entries. An order that was set aside before, and could
 * be copied or was found equal, is set aside no more. Each step may run again: what is committed
 * and not acknowledged is found equal the next time.
 *
 * @throws ArchiveBehind, RedisWentBack: nothing was written
 */
export async function copyBatch(
  shard: number,
  { entries, orders, unreadable }: ReadBatch,
  deps: CopyDeps,
): Promise<void> {
  const { store, archive, archiveId, observer } = deps
  const begun = performance.now()
  const last = lastOf(entries)
  if (last === undefined) return
  const redisSide = (at: string | undefined) => redisSideOf(shard, at, deps)
  const written = await archive.write({ archiveId, shard }, { orders, last, redisSide })
  const contradictions = written.contradictions.map((order) => orderIdOf(order))
  for (const orderId of contradictions) observer.contradicted(orderId)
  const setAside: SetAside[] = [
    ...unreadable,
    ...contradictions.map((orderId) => ({ orderId, reason: 'the archive has it otherwise' })),
    ...written.unkeepable.map(({ order, reason }) => ({ orderId: orderIdOf(order), reason })),
  ]
  for (const { orderId, reason } of setAside) observer.setAside(orderId, reason)
  await store.states.setAside(shard, setAside)
  const raised = { archiveId, version: written.version, archivedTo: last.id }
  const areSetAside = await store.states.raise(shard, raised)
  if (areSetAside === undefined)
    throw new RedisWentBack(`Redis copies shard ${shard} to another archive, or to none`)
  if (areSetAside > 0) await store.states.takeBack(shard, keptOf(orders, setAside))
  await store.outbox.acknowledge(
    shard,
    entries.map(({ id }) => id),
  )
  observer.copied(written.inserted, (performance.now() - begun) / 1000)
}

/** The orders that the archive has now, equal. */
function keptOf(orders: OrderToArchive[], setAside: SetAside[]): OrderId[] {
  const others = new Set(setAside.map(({ orderId }) => orderId))
  return orders.map((order) => orderIdOf(order)).filter((orderId) => !others.has(orderId))
}

/** What the archive compares itself with: read from Redis while it has the shard's row locked. */
export async function redisSideOf(
  shard: number,
  at: string | undefined,
  { store, archiveId }: { store: Pick<ArchiverStore, 'states' | 'outbox'>; archiveId: string },
): Promise<RedisSide> {
  const [state, entry] = await Promise.all([
    store.states.of(shard),
    at === undefined ? undefined : store.outbox.entryAt(shard, at),
  ])
  if (state?.archiveId !== archiveId)
    throw new RedisWentBack(`Redis does not know that shard ${shard} is copied to this archive`)
  if (state.isOff) throw new Error('copying is switched off: run npm run archive -- migrate')
  return { committed: state.needed, entry }
}

/** The entry with the highest id: entries that were taken over may come in any order. */
function lastOf(entries: OutboxEntry[]): OutboxEntry | undefined {
  let last: OutboxEntry | undefined
  for (const entry of entries)
    if (last === undefined || compareIds(entry.id, last.id) > 0) last = entry
  return last
}

/** By both whole numbers of an id. */
function compareIds(one: string, other: string): number {
  const [[ms = '', n = ''], [otherMs = '', otherN = '']] = [one.split('-'), other.split('-')]
  return compareNumbers(ms, otherMs) || compareNumbers(n, otherN)
}
const compareNumbers = (a: string, b: string): number => a.length - b.length || compareText(a, b)

/** An order that is in two entries may have been forgotten after the first one: it is archived. */
async function readRecords(
  shard: number,
  entries: OutboxEntry[],
  { store, archive, archiveId }: CopyDeps,
): Promise<{ records: ConcludedRecord[]; unreadable: SetAside[] }> {
  const orderIds = [...new Set(entries.flatMap((entry) => entry.orderIds))]
  const read = await store.records.read(shard, orderIds)
  const unread = read.flatMap((record, i) => {
    const orderId = orderIds[i]
    return record instanceof Error && orderId !== undefined
      ? [{ orderId, reason: reasonOf(record) }]
      : []
  })
  const names = unread.map(({ orderId }) => namesOf(orderId))
  const { found } = names.length > 0 ? await archive.lookUp({ archiveId, shard }, names) : NONE
  const archived = new Set(found.map((order) => orderIdOf(order)))
  return {
    records: read.flatMap((record) => (record instanceof Error ? [] : [record])),
    unreadable: unread.filter(({ orderId }) => !archived.has(orderId)),
  }
}

const NONE = { found: [] }

/** Why a record cannot be read, without what is in it: JSON.parse quotes that. */
const reasonOf = ({ message, cause }: Error): string =>
  cause instanceof Error && !(cause instanceof SyntaxError)
    ? `${message}: ${cause.message.split('\n', 1)[0]}`
    : message

/**
 * Only what a lost master cannot take back is archived: the archive is for ever, and it names the
 * last entry. One that is lost makes Redis look older than it was, though its orders were concluded
 * anew, in another entry.
 */
async function demandReplicated(
  shard: number,
  records: ConcludedRecord[],
  last: OutboxEntry | undefined,
  { durability, outbox }: CopyDeps['store'],
): Promise<void> {
  const replicated = await Promise.all([
    last === undefined || outbox.replicated(shard, last, durability),
    ...records.map(({ orderId, outcome, paymentRequestId }) =>
      durability.replicated(orderId, outcome, paymentRequestId),
    ),
  ])
  if (!replicated.every(Boolean)) throw new NotReplicated('too few replicas have what is archived')
}

/**
 * Two archivers that insert the same keys in one order wait for each other, and never both at once.
 */
const byKey = (a: OrderToArchive, b: OrderToArchive): number =>
  compareText(a.acquirerId, b.acquirerId) || compareText(a.paymentId, b.paymentId)
const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
