import { randomUUID } from 'node:crypto'
import { Conclusion } from './decide/conclusion.ts'
import { Directory } from './decide/directory.ts'
import { LimitUsage } from './decide/limit-usage.ts'
import { Lookup } from './decide/lookup.ts'
import { RecentOrders } from './decide/recent-orders.ts'
import { ReleasedCodes } from './decide/released-codes.ts'
import { Intake } from './intake/intake.ts'
import { channelName, type OrderId } from './keys.ts'
import { Acquirers } from './orders/acquirers.ts'
import { Announcements } from './orders/announcements.ts'
import { OpenShares } from './orders/open-shares.ts'
import { OpenWalk } from './orders/open-walk.ts'
import { Orders } from './orders/orders.ts'
import { AllOrders } from './outbox/all-orders.ts'
import { ArchiveStates } from './outbox/archive-state.ts'
import { ConcludedRecords } from './outbox/concluded-records.ts'
import { Outbox } from './outbox/outbox.ts'
import { Deferral } from './queue/deferral.ts'
import { Expiries } from './queue/expiries.ts'
import { Queues } from './queue/queues.ts'
import { Requeue } from './queue/requeue.ts'
import {
  connect,
  disconnect,
  type Patience,
  type RedisAddress,
  type RedisConnection,
} from './redis/connection.ts'
import { Durability } from './redis/durability.ts'
import type { RedisReport } from './redis/inspect-redis.ts'
import { keepShards } from './redis/keep-shards.ts'

export type StoreOptions = {
  address: RedisAddress
  shards: number
  /** Reports a fault by which no order is lost, such as a connection that is opened again. */
  onFault: (error: unknown, what: string) => void
}

/** What an ingress uses of the store. */
export type IngressStore = {
  intake: Intake
  openShares: OpenShares
  orders: Orders
  durability: Durability
  connection: RedisConnection
  /** How many orders have listeners. */
  listening: () => number
  close: () => Promise<void>
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
  expiries: Expiries
  durability: Durability
  connection: RedisConnection
  close: () => Promise<void>
}

/** The default of WAIT_MS in the ingress's settings. */
const WAIT_MS = 3_000

/** How often an ingress counts the open orders (ms), to accept orders again soon after a jam. */
const COUNT_OPEN_MS = 500

/** Opens an ingress's store. Its commands fail fast while Redis is away, except at the start. */
export async function openIngressStore(
  options: StoreOptions & {
    replicasMin?: number
    /** The percentage of free memory below which no new order is accepted. */
    memoryReservePercent?: number
    /** How long orders are waited for, in ms. */
    waitMs?: number
    onGroup?: (orders: number, claimMs: number) => void
    /** Reports orders that a repeat has requeued because their job was lost. */
    onRequeued?: (orderIds: OrderId[]) => void
    onAnnounced?: (ageMs: number) => void
  },
): Promise<IngressStore> {
  const { shards, onFault, replicasMin = 0, waitMs = WAIT_MS } = options
  const { onGroup = () => {}, onRequeued = () => {}, onAnnounced = () => {} } = options
  const { memoryReservePercent = 0 } = options
  const ingressId = randomUUID().slice(0, 8)
  const channels = Array.from({ length: shards }, (_, shard) => channelName(shard, ingressId))
  const { open, ready } = opener(options)
  const connection = open('fail-fast')
  const subscriber = open('patient', { listens: true })
  const fences = replicasMin > 0 ? open('fail-fast') : undefined
  await ready(connection)
  const announcements = new Announcements(subscriber, channels, {
    message: onAnnounced,
    order: (shard, orderId) => intake.announced(shard, orderId),
    unreadable: (error) =>
      onFault(error, 'an announcement cannot be read; those who wait read the record'),
  })
  const orders = new Orders(connection, shards, announcements)
  const queues = new Queues(connection, shards)
  const requeue = new Requeue(connection, orders, queues, onFault)
  const look = async (orderId: OrderId) => {
    const outcome = await orders.outcomeOf(orderId).catch(() => undefined)
    if (outcome !== undefined) announcements.notify(orderId, outcome)
  }
  await announcements.open((orderIds) => void Promise.all(orderIds.map(look)))
  const requeueIfLost = async (shard: number, orderId: OrderId, jobId: string) => {
    onRequeued(await requeue.requeueLost(shard, [{ orderId, jobId }]))
  }
  const intake = new Intake({
    connection,
    queues,
    acquirers: new Acquirers(connection, shards),
    channels,
    requeue: requeueIfLost,
    onFault,
    onGroup,
    lostMs: waitMs / 2,
  })
  const openShares = new OpenShares(connection, shards)
  const count = () => Promise.allSettled([intake.countOpen(), openShares.refresh()])
  const counting = setInterval(() => void count(), COUNT_OPEN_MS).unref()
  return {
    intake,
    openShares,
    orders,
    durability: new Durability(connection, { shards, replicasMin, fences, memoryReservePercent }),
    connection,
    listening: () => announcements.size,
    close: async () => {
      clearInterval(counting)
      await queues.close()
      await Promise.all([subscriber, connection, ...(fences ? [fences] : [])].map(disconnect))
    },
  }
}

/** Opens a worker's store. Its commands wait until Redis is back; on a Cluster, some seconds. */
export async function openWorkerStore(
  options: StoreOptions & { replicasMin?: number },
): Promise<WorkerStore> {
  const { shards, onFault, replicasMin = 0 } = options
  const { open, ready } = opener(options)
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
    expiries: new Expiries(connection),
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
  states: ArchiveStates
  records: ConcludedRecords
  durability: Durability
  close: () => Promise<void>
}

/** Opens an archiver's store. Its commands wait until Redis is back; on a Cluster, some seconds. */
export async function openArchiverStore(
  options: StoreOptions & { replicasMin?: number },
): Promise<ArchiverStore> {
  const { shards, replicasMin = 0 } = options
  const { open, ready } = opener(options)
  const connection = open('patient')
  const fences = replicasMin > 0 ? open('fail-fast') : undefined
  await ready(connection)
  return {
    outbox: new Outbox(connection),
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
  allOrders: AllOrders
  shards: number
}

/** Opens what the operator's commands need. Its commands fail fast while Redis is away. */
export async function openOperatorStore(options: StoreOptions): Promise<OperatorStore> {
  const { shards, onFault } = options
  const { open, ready } = opener(options)
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
    allOrders: new AllOrders(connection),
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
  const { open, ready } = opener({ address, shards, onFault: () => {} })
  const connection = open('fail-fast')
  await ready(connection)
  return { directory: new Directory(connection, shards), close: () => disconnect(connection) }
}

/** Inspects a Redis once, before it is used for orders. */
export async function reportOn(address: RedisAddress, shards: number): Promise<RedisReport> {
  const { open, ready } = opener({ address, shards, onFault: () => {} })
  const connection = open('fail-fast')
  await ready(connection)
  return new Durability(connection, { shards, replicasMin: 0 })
    .report()
    .finally(() => disconnect(connection))
}

/**
 * Opens connections. `ready` closes all of them if the number of shards does not fit: a failed
 * start leaves nothing open.
 */
function opener({ address, shards, onFault }: StoreOptions) {
  const opened: RedisConnection[] = []
  const open = (patience: Patience, how?: { listens: boolean }): RedisConnection => {
    const connection = connect(address, patience, how)
    opened.push(connection)
    connection.on('error', (error: unknown) =>
      onFault(error, 'a connection to Redis failed and is opened again'),
    )
    return connection
  }
  const ready = (connection: RedisConnection) =>
    keepShards(connection, address, shards).catch((error) => {
      for (const one of opened) one.disconnect()
      throw error
    })
  return { open, ready }
}
