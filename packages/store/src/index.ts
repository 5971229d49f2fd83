export { Conclusion, NotReplicated } from './decide/conclusion.ts'
export { Directory, type Found } from './decide/directory.ts'
export { type Judged, LimitUsage, type RedisTime, TooLate } from './decide/limit-usage.ts'
export { type LookedUp, Lookup, type OpenOrder } from './decide/lookup.ts'
export { type Counted, RecentOrders } from './decide/recent-orders.ts'
export { ReleasedCodes } from './decide/released-codes.ts'
export type { Accepted } from './intake/claim.ts'
export { type Incoming, Intake } from './intake/intake.ts'
export { digestOf, namesOf, OrderId, type OrderNames, orderIdOf, shardOf } from './keys.ts'
export {
  type IngressStore,
  type OperatorStore,
  openDirectory,
  openIngressStore,
  openOperatorStore,
  openWorkerStore,
  reportOn,
  type StoreOptions,
  type WorkerStore,
} from './open-store.ts'
export { Acquirers } from './orders/acquirers.ts'
export { type OrderRecord, Orders } from './orders/orders.ts'
export { type Subjects, subjectsOf } from './orders/subjects.ts'
export { isOutcome, type Outcome, type OutcomeParts, outcomeOf, partsOf } from './outcome.ts'
export { Deferral, type DeferredList, listNamed, type Resuming } from './queue/deferral.ts'
export { type Group, GroupTaker } from './queue/group-worker.ts'
export { type JobStands, Queues } from './queue/queues.ts'
export { type Answerable, Requeue } from './queue/requeue.ts'
export { type Connection, connect, disconnect, type RedisAddress } from './redis/connection.ts'
export { Durability } from './redis/durability.ts'
export type { RedisReport } from './redis/inspect-redis.ts'
export { RedisFault } from './redis/redis-fault.ts'
export { ShardsFault } from './redis/shards.ts'
