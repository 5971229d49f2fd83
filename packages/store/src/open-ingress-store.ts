import { randomUUID } from 'node:crypto'
import { Cluster } from 'ioredis'
import { ClaimCounts } from './decide/claim-counts.ts'
import { RecentOrders } from './decide/recent-orders.ts'
import { Intake } from './intake/intake.ts'
import { channelName, type OrderId } from './keys.ts'
import { opener, type StoreOptions } from './open-store.ts'
import { Acquirers } from './orders/acquirers.ts'
import { Announcements } from './orders/announcements.ts'
import { OpenShares } from './orders/open-shares.ts'
import { Orders } from './orders/orders.ts'
import { type Recall, recallNothing } from './outbox/archived-orders.ts'
import { Filters } from './outbox/filters.ts'
import { OrderFinder } from './outbox/order-finder.ts'
import { RedisAge } from './outbox/redis-age.ts'
import { Queues } from './queue/queues.ts'
import { Requeue } from './queue/requeue.ts'
import { disconnect, type RedisConnection } from './redis/connection.ts'
import { Durability } from './redis/durability.ts'

/** What an ingress uses of the store. */
export type IngressStore = {
  intake: Intake
  finder: OrderFinder
  filters: Filters
  redisAge: RedisAge
  openShares: OpenShares
  orders: Orders
  durability: Durability
  connection: RedisConnection
  /** How many orders have listeners. */
  listening: () => number
  close: () => Promise<void>
}

/** The default of WAIT_MS in the ingress's settings. */
const WAIT_MS = 3_000

/** How often an ingress counts the open orders (ms), to accept orders again soon after a jam. */
const COUNT_OPEN_MS = 1_000

/** Opens an ingress's store. Its commands fail fast while Redis is away, except at the start. */
export async function openIngressStore(
  options: StoreOptions & {
    replicasMin?: number
    /** The percentage of free memory below which no new order is accepted. */
    memoryReservePercent?: number
    /** How long orders are waited for, in ms. */
    waitMs?: number
    /** Asks the archive for orders that Redis may have forgotten. */
    recall?: Recall
    /** For tests that forget orders within seconds; see `Claims`. */
    lookedUpMsMax?: number
    onGroup?: (orders: number, claimMs: number) => void
    /** Reports orders that a repeat has requeued because their job was lost. */
    onRequeued?: (orderIds: OrderId[]) => void
    onAnnounced?: (ageMs: number) => void
  },
): Promise<IngressStore> {
  const { shards, onFault, replicasMin = 0, waitMs = WAIT_MS } = options
  const { onGroup = () => {}, onRequeued = () => {}, onAnnounced = () => {} } = options
  const { memoryReservePercent = 0, recall = recallNothing, lookedUpMsMax } = options
  const ingressId = randomUUID().slice(0, 8)
  const channels = Array.from({ length: shards }, (_, shard) => channelName(shard, ingressId))
  const { open, ready } = opener(options, 'ingress')
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
  const filters = new Filters(connection)
  const counts =
    connection instanceof Cluster
      ? undefined
      : new ClaimCounts(new RecentOrders(connection, shards))
  const intake = new Intake({
    connection,
    counts,
    lookedUpMsMax,
    queues,
    filters,
    recall,
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
    finder: new OrderFinder(connection, { shards, filters, recall }),
    filters,
    redisAge: new RedisAge(connection, shards),
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
