export { ArchiveBehind, ArchiveFault, RedisWentBack } from './archive-fault.ts'
export {
  type ArchivedOrder,
  differences,
  type FoundOrder,
  type OrderToArchive,
  orderToArchive,
} from './archived-order.ts'
export type { LookedUp, OrderNames } from './look-up.ts'
export { type Maintained, type Maintenance, maintain, migrate } from './migrate.ts'
export { type Archive, openArchive, type ShardStands } from './open-archive.ts'
export type { Search } from './search.ts'
export { printedMigrations } from './sql-migrations.ts'
export type { Batch, EntryMark, RedisSide, ShardOfArchive, Written } from './write-batch.ts'
