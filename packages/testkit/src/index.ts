export { aPlaceOrder } from './a-place-order.ts'
export { type Certificate, openAuthority } from './certificates.ts'
export { type End, FaultProxy, type Target } from './fault-proxy.ts'
export { migrateSlot, type SlotMigration } from './migrate-slot.ts'
export { joinCluster, type RedisCluster, startCluster } from './redis-cluster.ts'
export {
  type SentinelPair,
  sentinelMaster,
  startSentinel,
  startSentinelPair,
} from './redis-sentinel.ts'
export {
  type Caller,
  type CallOptions,
  type SignedAnswer,
  type SignedMessage,
  sendSigned,
  signedCall,
  signMessage,
} from './signed-call.ts'
export { type StandaloneFolder, standaloneFolder } from './standalone.ts'
export { type RunningProcess, type StartProcess, startProcess } from './start-process.ts'
export {
  type Ingress,
  openSystem,
  otherAcquirerId,
  type RunningApp,
  type System,
} from './system.ts'
export { type TestPostgres, testPostgres } from './test-postgres.ts'
export { testRedis } from './test-redis.ts'
export { untilAdmitted } from './until-admitted.ts'
