import { differences, type ScannedOrder } from '@placeorder/archive'
import { type OperatorStore, type OrderId, orderIdOf, shardOf } from '@placeorder/store'
import { exitCode } from '../command-line.ts'
import { tableOf } from '../orders/print.ts'
import type { ArchiveDeps, BothStores } from './command.ts'
import { concludedPairs, type Pair } from './walk.ts'

/** Orders that differ are named up to so many. */
const LISTED_MAX = 100

/** What was concluded within this time (ms) may still be on its way to the archive. */
const ON_ITS_WAY_MS = 60_000

/**
 * Compares all concluded orders in Redis with the archive, and then looks for what the archive has:
 * each order is in Redis, or in a filter of those that it has forgotten.
 */
export async function verify(stores: BothStores, { out }: ArchiveDeps): Promise<number> {
  const now = Date.now()
  const wrong: string[][] = []
  let [equal, differ, onTheirWay, missing] = [0, 0, 0, 0]
  const look = ({ here, there }: Pair) => {
    if (there !== undefined) {
      const names = differences(here, there)
      if (names.length === 0) equal += 1
      else {
        differ += 1
        wrong.push([here.acquirerId, here.paymentId, `differs in ${names.join(', ')}`])
      }
    } else if (now - here.concludedAt < ON_ITS_WAY_MS) onTheirWay += 1
    else {
      missing += 1
      wrong.push([here.acquirerId, here.paymentId, 'is not in the archive'])
    }
  }
  for (let shard = 0; shard < stores.store.shards; shard += 1)
    for await (const pairs of concludedPairs(stores, shard)) for (const pair of pairs) look(pair)
  const { forgotten, lost } = await findArchived(stores)
  wrong.push(...lost.map(({ acquirerId, paymentId }) => [acquirerId, paymentId, LOST]))
  const counted = (count: number) => count.toLocaleString('en')
  out.write(
    `${counted(equal)} orders are equal, ${counted(differ)} differ, ` +
      `${counted(missing)} are not archived, ${counted(onTheirWay)} were concluded ` +
      `within the last minute; ${counted(forgotten)} were forgotten, and ${counted(lost.length)} ` +
      'should be in Redis or in a filter\n',
  )
  out.write(tableOf(['acquirer', 'paymentId', 'what'], wrong.slice(0, LISTED_MAX)))
  return wrong.length > 0 ? exitCode.missed : exitCode.good
}

/** What is searched for archived orders. */
type Searched = {
  store: Pick<OperatorStore, 'forgetting' | 'shards'> & {
    acquirers: Pick<OperatorStore['acquirers'], 'all'>
  }
  archive: BothStores['archive']
}

const LOST = 'is archived, and neither in Redis nor in a filter'

/** What was forgotten of the archived orders, and what Redis does not know though it should. */
export async function findArchived(
  stores: Searched,
): Promise<{ forgotten: number; lost: ScannedOrder[] }> {
  const { store, archive } = stores
  const isOurs = await ours(stores)
  const lost: ScannedOrder[] = []
  let forgotten = 0
  for await (const page of archive.scan()) {
    const byShard = Map.groupBy(page.filter(isOurs), (order) =>
      shardOf(orderIdOf(order), store.shards),
    )
    for (const [shard, orders] of byShard) {
      const gone = await withoutRecord(shard, orders, store)
      const may = await store.forgetting.mayHave(
        shard,
        gone.map((order) => orderIdOf(order)),
      )
      forgotten += may.filter(Boolean).length
      lost.push(...gone.filter((_, i) => !may[i]))
    }
  }
  return { forgotten, lost }
}

async function withoutRecord(
  shard: number,
  orders: ScannedOrder[],
  { forgetting }: Searched['store'],
): Promise<ScannedOrder[]> {
  const orderIds: OrderId[] = orders.map((order) => orderIdOf(order))
  const read = await forgetting.read(shard, orderIds)
  return orders.filter((_, i) => read[i] === undefined)
}

/** In a database that several installations share, orders are known by their acquirers. */
async function ours({ store, archive }: Searched): Promise<(order: ScannedOrder) => boolean> {
  const archives = new Set((await archive.shards()).map(({ archiveId }) => archiveId))
  if (archives.size < 2) return () => true
  const acquirerIds = new Set(await store.acquirers.all())
  return ({ acquirerId }) => acquirerIds.has(acquirerId)
}
