export { Conclusion, NotReplicated } from './decide/conclusion.ts'
export { Directory, type DirectoryRecords } from './decide/directory.ts'
export { type JudgedOrder, LimitUsage, type RedisTime, TooLate } from './decide/limit-usage.ts'
export { Lookup, type OpenOrder, type OrderWithFacts } from './decide/lookup.ts'
export { type OrderToCount, RecentOrders } from './decide/recent-orders.ts'
export { ReleasedCodes } from './decide/released-codes.ts'
export type { Accepted } from './intake/accepted.ts'
export { type IncomingOrder, Intake } from './intake/intake.ts'
export { Digest, digestOf, namesOf, OrderId, type OrderNames, orderIdOf, shardOf } from './keys.ts'
export { type IngressStore, openIngressStore } from './open-ingress-store.ts'
export { type NotifierStore, openNotifierStore } from './open-notifier-store.ts'
export { openReshardStore, type ReshardStore } from './open-reshard-store.ts'
export {
  type ArchiverStore,
  type OperatorStore,
  openArchiverStore,
  openDirectory,
  openOperatorStore,
  openWorkerStore,
  reportOn,
  type StoreOptions,
  type WorkerStore,
} from './open-store.ts'
export { Acquirers } from './orders/acquirers.ts'
export { type LookupIds, lookupIdsOf } from './orders/lookup-ids.ts'
export { type OrderRecord, Orders } from './orders/orders.ts'
export { type ArchiveState, ArchiveStates } from './outbox/archive-state.ts'
export type {
  ArchivedOrder,
  MaybeForgotten,
  Recall,
  Recalled,
} from './outbox/archived-orders.ts'
export { type ConcludedRecord, ConcludedRecords, NoRecord } from './outbox/concluded-records.ts'
export { EventStream } from './outbox/event-stream.ts'
export { capacityOf, FilterFault, Filters } from './outbox/filters.ts'
export {
  Forgetting,
  type ForgettingState,
  NotForgotten,
  type OrdersToForget,
  type OrderToCompare,
} from './outbox/forgetting.ts'
export { type FoundOrder, OrderFinder } from './outbox/order-finder.ts'
export { Outbox } from './outbox/outbox.ts'
export { Rebuilding } from './outbox/rebuilding.ts'
export { RedisAge } from './outbox/redis-age.ts'
export { type Restored, Restoring } from './outbox/restoring.ts'
export { type DisabledSink, type SinkBacklog, SinkStates } from './outbox/sink-states.ts'
export {
  type Delivery,
  DeliverySource,
  type SinkProgress,
  SinkStreams,
} from './outbox/sink-streams.ts'
export type { GroupProgress, OutboxEntry } from './outbox/stream-group.ts'
export { isOutcome, type Outcome, type OutcomeParts, outcomeOf, partsOf } from './outcome.ts'
export {
  Deferral,
  type DeferredList,
  deferredListOf,
  type ResumeOptions,
} from './queue/deferral.ts'
export { GroupWorker, type OrderGroup } from './queue/group-worker.ts'
export { type JobStatus, Queues } from './queue/queues.ts'
export { type OrderInJob, Requeue } from './queue/requeue.ts'
export {
  type FailedDelivery,
  type SinkJob,
  SinkJobs,
  sinkJobId,
  type TakenDelivery,
} from './queue/sink-jobs.ts'
export { connect, disconnect, type RedisAddress, type RedisConnection } from './redis/connection.ts'
export { Durability } from './redis/durability.ts'
export type { RedisReport } from './redis/inspect-redis.ts'
export { readable } from './redis/readable.ts'
export { RedisFault } from './redis/redis-fault.ts'
export { ShardsFault } from './redis/shards.ts'
