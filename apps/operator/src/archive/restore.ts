import { ArchiveBehind, type ScannedOrder, type ShardStands } from '@placeorder/archive'
import {
  Digest,
  type OperatorStore,
  type OrderId,
  type OrderToCompare,
  type OutboxEntry,
  orderIdOf,
  type Restored,
  shardOf,
} from '@placeorder/store'
import { exitCode } from '../command-line.ts'
import { tableOf } from '../orders/print.ts'
import type { ArchiveDeps, BothStores } from './command.ts'

/** Orders that differ are named up to so many. */
const LISTED_MAX = 100

/** A shard as the database and Redis know it before anything is restored. */
type Shard = ShardStands & { committed: number }

/**
 * Brings a Redis that is older than it was to the state that the archive has. Everything before the
 * last step may run again; only then the archive and Redis agree, and orders are served.
 */
export async function restore(
  stores: BothStores,
  { out, err, given }: ArchiveDeps & { given: string | undefined },
): Promise<number> {
  const { store, archive } = stores
  const all = await archive.shards()
  const archiveId = (await store.states.archiveId()) ?? given ?? theOnly(all)
  if (archiveId === undefined) {
    const ids = [...new Set(all.map((shard) => shard.archiveId))]
    err.write(
      ids.length === 0
        ? 'this database has no archive: there is nothing to restore from\n'
        : `this Redis knows no archive, and the database has ${ids.join(', ')}: ` +
            'name the one of this Redis with --archive <id>\n',
    )
    return exitCode.missed
  }
  const shards = await prepareShards(archiveId, all, stores)
  const counts: Record<Restored, number> = { EQUAL: 0, CONCLUDED: 0, FORGOTTEN: 0, DIFFERENT: 0 }
  const different: string[][] = []
  let codes = 0
  for await (const page of archive.scan()) {
    const newer = page.filter((order) => isNewer(order, shards, store.shards))
    for (const { order, done } of await restorePage(newer, archiveId, stores)) {
      counts[done] += 1
      if (done === 'DIFFERENT') different.push([order.acquirerId, order.paymentId, order.outcome])
    }
    codes += await store.directory.restoreHolders(newer.flatMap(heldBy))
  }
  for (const shard of shards) await agree(shard, stores)
  const counted = (count: number) => count.toLocaleString('en')
  out.write(
    `${counted(counts.CONCLUDED)} open orders were concluded as archived, ` +
      `${counted(counts.FORGOTTEN)} are in the archive alone, ` +
      `${counted(counts.EQUAL)} are equal, ${counted(counts.DIFFERENT)} differ; ` +
      `${counted(codes)} order codes are held again\n`,
  )
  out.write(tableOf(['acquirer', 'paymentId', 'archived'], different.slice(0, LISTED_MAX)))
  return different.length > 0 ? exitCode.missed : exitCode.good
}

const theOnly = (shards: ShardStands[]): string | undefined => {
  const [id, ...others] = new Set(shards.map(({ archiveId }) => archiveId))
  return others.length === 0 ? id : undefined
}

/** Makes sure that Redis knows the archive, and that the archive is not behind. */
async function prepareShards(
  archiveId: string,
  all: ShardStands[],
  { store }: BothStores,
): Promise<Shard[]> {
  const shards: Shard[] = []
  for (let n = 0; n < store.shards; n += 1) {
    const stands = all.find((shard) => shard.archiveId === archiveId && shard.shard === n)
    if (stands === undefined)
      throw new ArchiveBehind(`the database knows nothing of shard ${n} of archive ${archiveId}`)
    const { committed = 0, needed = 0 } = (await store.states.of(n)) ?? {}
    if (stands.version < needed)
      throw new ArchiveBehind(
        `the database is at version ${stands.version} of shard ${n}, and has confirmed ` +
          `${needed}: restore it to its latest state first`,
      )
    shards.push({ ...stands, committed })
  }
  for (const { shard } of shards) await store.states.switchOn(shard, archiveId)
  return shards
}

/** Whether an order was archived after the state that Redis has. */
function isNewer(order: ScannedOrder, shards: Shard[], count: number): boolean {
  const shard = shardOf(orderIdOf(order), count)
  return order.shard !== shard || order.version > (shards[shard]?.committed ?? 0)
}

async function restorePage(
  orders: ScannedOrder[],
  archiveId: string,
  { store, archive }: BothStores,
): Promise<{ order: ScannedOrder; done: Restored }[]> {
  if (orders.length === 0) return []
  // Read after the orders, so that these versions have all of them. Those of the orders do not
  // serve: they are of the shard, and of the installation, that had each of them then.
  const stands = await archive.shards(archiveId)
  const versions = new Map(stands.map(({ shard, version }) => [shard, version]))
  const all: { order: ScannedOrder; done: Restored }[] = []
  for (const [shard, ofShard] of Map.groupBy(orders, (order) =>
    shardOf(orderIdOf(order), store.shards),
  )) {
    const version = versions.get(shard)
    if (version === undefined) throw new ArchiveBehind(`the database has lost shard ${shard}`)
    const done = await store.restoring.restore(shard, ofShard.map(toCompare), version)
    for (const [i, order] of ofShard.entries()) all.push({ order, done: done[i] ?? 'DIFFERENT' })
  }
  return all
}

const toCompare = (order: ScannedOrder): OrderToCompare => ({
  orderId: orderIdOf(order),
  terms: order.terms,
  outcome: order.outcome,
  paymentRequestId: order.paymentRequestId,
  concludedAt: order.concludedAt,
})

/** The code that an order holds, if it is an order code: the directory knows. */
const heldBy = (order: ScannedOrder): { code: Digest; orderId: OrderId }[] =>
  order.codeDigest !== undefined && /^SUCCESS( |$)/.test(order.outcome)
    ? [{ code: Digest.parse(order.codeDigest), orderId: orderIdOf(order) }]
    : []

/**
 * Has both name the same new entry of the outbox: from now on Redis counts as new enough, and is
 * copied, also if that was switched off. Resolves with the entry, and the version of the archive
 * that names it.
 */
export async function agree(
  { archiveId, shard, version, archivedTo }: ShardStands,
  {
    store,
    archive,
  }: { store: Pick<OperatorStore, 'restoring'> & States; archive: BothStores['archive'] },
): Promise<{ version: number; entry: OutboxEntry }> {
  const entry = await store.restoring.mark(shard, archivedTo)
  const raised = await archive.remark({ archiveId, shard }, { version, entry })
  if (raised === undefined)
    throw new Error(`an archiver has written shard ${shard} meanwhile: run the command again`)
  await store.states.raise(shard, { archiveId, version: raised, archivedTo: entry.id })
  await store.states.goOn(shard)
  return { version: raised, entry }
}

type States = { states: Pick<OperatorStore['states'], 'raise' | 'goOn'> }
