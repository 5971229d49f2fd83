export { Acquirers } from './acquirers.ts'
export type { Taken } from './claim.ts'
export { Conclusion, NotReplicated } from './conclusion.ts'
export { Deferral, type DeferredList, listNamed, type Resuming } from './deferral.ts'
export { Directory, type Found } from './directory.ts'
export { Durability } from './durability.ts'
export { type Group, GroupTaker } from './group-worker.ts'
export type { RedisReport } from './inspect-redis.ts'
export { type Incoming, Intake } from './intake.ts'
export { digestOf, namesOf, OrderId, type OrderNames, orderIdOf, shardOf } from './keys.ts'
export { type LookedUp, Lookup, type OpenOrder } from './lookup.ts'
export { type Answerable, Mending } from './mending.ts'
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
export { type OrderRecord, Orders } from './orders.ts'
export { isOutcome, type Outcome, type OutcomeParts, outcomeOf, partsOf } from './outcome.ts'
export { type JobStands, Queues } from './queue.ts'
export { type Counted, RecentOrders, type Subjects, subjectsOf } from './recent.ts'
export { type Connection, connect, disconnect, type RedisAddress } from './redis.ts'
export { RedisFault } from './redis-fault.ts'
export { ReleasedCodes } from './released-codes.ts'
export { ShardsFault } from './shards.ts'
export { type Judged, type RedisTime, TooLate, Usage } from './usage.ts'
