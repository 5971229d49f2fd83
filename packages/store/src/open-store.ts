import { Conclusion } from './decide/conclusion.ts'
import { Directory } from './decide/directory.ts'
import { LimitUsage } from './decide/limit-usage.ts'
import { Lookup } from './decide/lookup.ts'
import { RecentOrders } from './decide/recent-orders.ts'
import { ReleasedCodes } from './decide/released-codes.ts'
import { Acquirers } from './orders/acquirers.ts'
import { OpenWalk } from './orders/open-walk.ts'
import { Orders } from './orders/orders.ts'
import { AllOrders } from './outbox/all-orders.ts'
import { ArchiveStates } from './outbox/archive-state.ts'
import { ConcludedRecords } from './outbox/concluded-records.ts'
import { Forgetting } from './outbox/forgetting.ts'
import { Outbox } from './outbox/outbox.ts'
import { Rebuilding } from './outbox/rebuilding.ts'
import { RedisAge } from './outbox/redis-age.ts'
import { Restoring } from './outbox/restoring.ts'
import { SinkStates } from './outbox/sink-states.ts'
import { SinkStreams } from './outbox/sink-streams.ts'
import { Deferral } from './queue/deferral.ts'
import { Expiries } from './queue/expiries.ts'
import { Queues } from './queue/queues.ts'
import { Requeue } from './queue/requeue.ts'
import { SinkJobs } from './queue/sink-jobs.ts'
import { clientNameOf, type ProcessName } from './redis/connected.ts'
import {
  connect,
  disconnect,
  type Patience,
  type RedisAddress,
  type RedisConnection,
} from './redis/connection.ts'
import { Durability } from './redis/durability.ts'
import type { RedisReport } from './redis/inspect-redis.ts'
import { keepShards, onceAnswered } from './redis/keep-shards.ts'

export type StoreOptions = {
  address: RedisAddress
  shards: number
  /** Reports a fault by which no order is lost, such as a connection that is opened again. */
  onFault: (error: unknown, what: string) => void
}

/** What a worker uses of the store. */
export type WorkerStore = {
  orders: Orders
  directory: Directory
  lookup: Lookup
  usage: LimitUsage
  conclusion: Conclusion
  recent: RecentOrders
  requeue: Requeue
  openWalk: OpenWalk
  deferral: Deferral
  queues: Queues
  outbox: Outbox
  expiries: Expiries
  redisAge: RedisAge
  durability: Durability
  connection: RedisConnection
  close: () => Promise<void>
}

/** Opens a worker's store. Its commands wait until Redis is back; on a Cluster, some seconds. */
export async function openWorkerStore(
  options: StoreOptions & { replicasMin?: number },
): Promise<WorkerStore> {
  const { shards, onFault, replicasMin = 0 } = options
  const { open, ready } = opener(options, 'worker')
  const connection = open('patient')
  const fences = replicasMin > 0 ? open('fail-fast') : undefined
  await ready(connection)
  const durability = new Durability(connection, { shards, replicasMin, fences })
  const orders = new Orders(connection, shards)
  const usage = new LimitUsage(connection)
  const queues = new Queues(connection, shards)
  const directory = new Directory(connection, shards)
  const recent = new RecentOrders(connection, shards)
  return {
    orders,
    directory,
    lookup: new Lookup(connection, { orders, directory, recent }),
    usage,
    conclusion: new Conclusion(connection, { usage, orders, durability }),
    recent,
    requeue: new Requeue(connection, orders, queues, onFault),
    openWalk: new OpenWalk(connection),
    deferral: new Deferral(connection, queues),
    queues,
    outbox: new Outbox(connection),
    expiries: new Expiries(connection),
    redisAge: new RedisAge(connection, shards),
    durability,
    connection,
    close: async () => {
      await queues.close()
      await Promise.all([connection, ...(fences ? [fences] : [])].map(disconnect))
    },
  }
}

/** What an archiver uses of the store. */
export type ArchiverStore = {
  outbox: Outbox
  forgetting: Forgetting
  states: ArchiveStates
  records: ConcludedRecords
  durability: Durability
  close: () => Promise<void>
}

/** Opens an archiver's store. Its commands wait until Redis is back; on a Cluster, some seconds. */
export async function openArchiverStore(
  options: StoreOptions & { replicasMin?: number; filterBytes?: number | undefined },
): Promise<ArchiverStore> {
  const { shards, replicasMin = 0, filterBytes } = options
  const { open, ready } = opener(options, 'archiver')
  const connection = open('patient')
  const fences = replicasMin > 0 ? open('fail-fast') : undefined
  await ready(connection)
  return {
    outbox: new Outbox(connection),
    forgetting: new Forgetting(connection, filterBytes),
    states: new ArchiveStates(connection, shards),
    records: new ConcludedRecords(connection),
    durability: new Durability(connection, { shards, replicasMin, fences }),
    close: async () =>
      void (await Promise.all([connection, ...(fences ? [fences] : [])].map(disconnect))),
  }
}

/** What the operator's commands use of the store. */
export type OperatorStore = Pick<
  WorkerStore,
  'orders' | 'directory' | 'requeue' | 'deferral' | 'queues' | 'close'
> & {
  acquirers: Acquirers
  releasedCodes: ReleasedCodes
  outbox: Outbox
  states: ArchiveStates
  records: ConcludedRecords
  forgetting: Forgetting
  restoring: Restoring
  rebuilding: Rebuilding
  allOrders: AllOrders
  streams: SinkStreams
  sinkStates: SinkStates
  /** Opens the jobs of a sink in a shard; whoever does closes them. */
  jobsOf: (shard: number, sink: string) => SinkJobs
  shards: number
}

/** Opens what the operator's commands need. Its commands fail fast while Redis is away. */
export async function openOperatorStore(
  options: StoreOptions & { filterBytes?: number | undefined },
): Promise<OperatorStore> {
  const { shards, onFault, filterBytes } = options
  const { open, ready } = opener(options, 'command')
  const connection = open('fail-fast')
  await ready(connection)
  const orders = new Orders(connection, shards)
  const queues = new Queues(connection, shards)
  return {
    orders,
    requeue: new Requeue(connection, orders, queues, onFault),
    deferral: new Deferral(connection, queues),
    queues,
    directory: new Directory(connection, shards),
    acquirers: new Acquirers(connection, shards),
    releasedCodes: new ReleasedCodes(connection),
    outbox: new Outbox(connection),
    states: new ArchiveStates(connection, shards),
    records: new ConcludedRecords(connection),
    forgetting: new Forgetting(connection, filterBytes),
    restoring: new Restoring(connection, filterBytes),
    rebuilding: new Rebuilding(connection, filterBytes),
    allOrders: new AllOrders(connection),
    streams: new SinkStreams(connection),
    sinkStates: new SinkStates(connection),
    jobsOf: (shard, sink) => new SinkJobs(connection, shard, sink),
    shards,
    close: async () => {
      await queues.close()
      await disconnect(connection)
    },
  }
}

/**
 * Opens the directory alone. Before the first start of the store, `shards` becomes its number of
 * shards.
 */
export async function openDirectory(
  address: RedisAddress,
  shards: number,
): Promise<{ directory: Directory; close: () => Promise<void> }> {
  // A failing command rejects.
  const { open, ready } = opener({ address, shards, onFault: () => {} }, 'command')
  const connection = open('fail-fast')
  await ready(connection)
  return { directory: new Directory(connection, shards), close: () => disconnect(connection) }
}

/** Inspects a Redis once, before it is used for orders. */
export async function reportOn(address: RedisAddress, shards: number): Promise<RedisReport> {
  const { open, ready } = opener({ address, shards, onFault: () => {} }, 'command')
  const connection = open('fail-fast')
  await ready(connection)
  return new Durability(connection, { shards, replicasMin: 0 })
    .report()
    .finally(() => disconnect(connection))
}

/**
 * Opens connections that are named as this process. `ready` waits for Redis and compares
 * the number of shards, `answered` only waits; both close all of them when that fails, so that a
 * failed start leaves nothing open.
 */
export function opener({ address, shards, onFault }: StoreOptions, name: ProcessName) {
  const opened: RedisConnection[] = []
  const named = { ...address, clientName: clientNameOf(name) }
  const open = (patience: Patience, how?: { listens: boolean }): RedisConnection => {
    const connection = connect(named, patience, how)
    opened.push(connection)
    connection.on('error', (error: unknown) =>
      onFault(error, 'a connection to Redis failed and is opened again'),
    )
    return connection
  }
  const orClose = (error: unknown): never => {
    for (const one of opened) one.disconnect()
    throw error
  }
  const ready = (connection: RedisConnection) =>
    keepShards(connection, address, shards).catch(orClose)
  const answered = (connection: RedisConnection) =>
    onceAnswered(connection, address, () => connection.ping()).catch(orClose)
  return { open, ready, answered }
}
