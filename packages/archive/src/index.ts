export { ArchiveBehind, ArchiveFault, RedisWentBack } from './archive-fault.ts'
export {
  type ArchivedOrder,
  differences,
  type FoundOrder,
  type OrderToArchive,
  orderToArchive,
} from './archived-order.ts'
export { checkAtStart } from './check-at-start.ts'
export { compareRedis, type RedisToCompare } from './compare-redis.ts'
export type { ConcludedBetween } from './concluded-between.ts'
export type { LookedUp, OrderNames } from './look-up.ts'
export { type Maintained, type Maintenance, maintain, migrate } from './migrate.ts'
export { type Archive, openArchive, type Settings, type ShardStands } from './open-archive.ts'
export type { ScannedOrder } from './scan.ts'
export type { Search } from './search.ts'
export { printedMigrations } from './sql-migrations.ts'
export { type WatchedRedis, watchRedis } from './watch-redis.ts'
export {
  type Batch,
  type EntryMark,
  isAfter,
  type RedisSide,
  type ShardOfArchive,
  type Written,
} from './write-batch.ts'
