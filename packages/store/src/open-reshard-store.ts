import { opener, type StoreOptions } from './open-store.ts'
import { Acquirers } from './orders/acquirers.ts'
import { Orders } from './orders/orders.ts'
import { AllOrders } from './outbox/all-orders.ts'
import { ArchiveStates } from './outbox/archive-state.ts'
import { ConcludedRecords } from './outbox/concluded-records.ts'
import { Filters } from './outbox/filters.ts'
import { Forgetting } from './outbox/forgetting.ts'
import { Outbox } from './outbox/outbox.ts'
import { Rebuilding } from './outbox/rebuilding.ts'
import { Restoring } from './outbox/restoring.ts'
import { SinkStreams } from './outbox/sink-streams.ts'
import { SinkJobs } from './queue/sink-jobs.ts'
import { connectedProcesses } from './redis/connected.ts'
import { disconnect } from './redis/connection.ts'
import { Durability } from './redis/durability.ts'
import { ShardCount } from './redis/shard-count.ts'
import { ShardKeys } from './redis/shard-keys.ts'

/** What the change of the number of shards uses of the store. */
export type ReshardStore = {
  shardCount: ShardCount
  shardKeys: ShardKeys
  /** The other processes of placeorder that are connected. */
  connected: () => Promise<string[]>
  durability: Pick<Durability, 'report'>
  /** Of any shard, whatever their number. */
  orders: Pick<Orders, 'backlog'>
  allOrders: AllOrders
  records: ConcludedRecords
  states: ArchiveStates
  outbox: Outbox
  filters: Pick<Filters, 'read'>
  forgetting: Forgetting
  restoring: Restoring
  rebuilding: Rebuilding
  acquirers: Pick<Acquirers, 'all'>
  streams: SinkStreams
  /** Opens the jobs of a sink in a shard; whoever does closes them. */
  jobsOf: (shard: number, sink: string) => SinkJobs
  close: () => Promise<void>
}

/** Opens a store without a number of shards. Its commands fail fast while Redis is away. */
export async function openReshardStore(
  options: Omit<StoreOptions, 'shards'> & { filterBytes?: number | undefined },
): Promise<ReshardStore> {
  const { filterBytes } = options
  const { open, answered } = opener({ ...options, shards: 1 }, 'reshard')
  const connection = open('fail-fast')
  await answered(connection)
  return {
    shardCount: new ShardCount(connection),
    shardKeys: new ShardKeys(connection),
    connected: () => connectedProcesses(connection),
    durability: new Durability(connection, { shards: 1, replicasMin: 0 }),
    orders: new Orders(connection, 1),
    allOrders: new AllOrders(connection),
    records: new ConcludedRecords(connection),
    states: new ArchiveStates(connection, 1),
    outbox: new Outbox(connection),
    filters: new Filters(connection),
    forgetting: new Forgetting(connection, filterBytes),
    restoring: new Restoring(connection, filterBytes),
    rebuilding: new Rebuilding(connection, filterBytes),
    acquirers: new Acquirers(connection, 1),
    streams: new SinkStreams(connection),
    jobsOf: (shard, sink) => new SinkJobs(connection, shard, sink),
    close: () => disconnect(connection),
  }
}
