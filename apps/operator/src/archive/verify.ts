import { differences } from '@placeorder/archive'
import { exitCode } from '../command-line.ts'
import { tableOf } from '../orders/print.ts'
import type { ArchiveDeps, BothStores } from './command.ts'
import { concludedPairs, type Pair } from './walk.ts'

/** Orders that differ are named up to so many. */
const LISTED_MAX = 100

/** What was concluded within this time (ms) may still be on its way to the archive. */
const ON_ITS_WAY_MS = 60_000

/** Compares all concluded orders in Redis with the archive. */
export async function verify(stores: BothStores, { out }: ArchiveDeps): Promise<number> {
  const now = Date.now()
  const wrong: string[][] = []
  let [equal, onTheirWay, missing] = [0, 0, 0]
  const look = ({ here, there }: Pair) => {
    if (there !== undefined) {
      const names = differences(here, there)
      if (names.length === 0) equal += 1
      else wrong.push([here.acquirerId, here.paymentId, `differs in ${names.join(', ')}`])
    } else if (now - here.concludedAt < ON_ITS_WAY_MS) onTheirWay += 1
    else {
      missing += 1
      wrong.push([here.acquirerId, here.paymentId, 'is not in the archive'])
    }
  }
  for (let shard = 0; shard < stores.store.shards; shard += 1)
    for await (const pairs of concludedPairs(stores, shard)) for (const pair of pairs) look(pair)
  const counted = (count: number) => count.toLocaleString('en')
  out.write(
    `${counted(equal)} orders are equal, ${counted(wrong.length - missing)} differ, ` +
      `${counted(missing)} are not archived, ${counted(onTheirWay)} were concluded ` +
      'within the last minute\n',
  )
  out.write(tableOf(['acquirer', 'paymentId', 'what'], wrong.slice(0, LISTED_MAX)))
  return wrong.length > 0 ? exitCode.missed : exitCode.good
}
