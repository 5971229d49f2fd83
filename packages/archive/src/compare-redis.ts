import { isUndefinedTable, RedisWentBack } from './archive-fault.ts'
import type { Archive, ShardStands } from './open-archive.ts'
import { type EntryMark, isAfter } from './write-batch.ts'

/** What Redis is asked for. */
export type RedisToCompare = {
  shards: number
  /** What a shard knows of its archive; undefined if it knows none. */
  state: (
    shard: number,
  ) => Promise<{ archiveId: string; archivedTo: string | undefined; isOff: boolean } | undefined>
  /** The entry of a shard's outbox at this id. */
  entryAt: (shard: number, id: string) => Promise<EntryMark | undefined>
}

/**
 * Finds out whether a shard of Redis is older than it was, by what the archive has of it. An
 * archive that is behind, such as a replica that lags, may name an entry that Redis has removed
 * since: that proves nothing. Nor does it while copying is off and both name the same entry.
 *
 * @throws RedisWentBack
 */
export async function compareRedis(
  archive: Pick<Archive, 'shards'>,
  redis: RedisToCompare,
  shard: number,
): Promise<void> {
  const archiveId = (await redis.state(shard))?.archiveId ?? (await idOfOthers(redis))
  const marks = await marksOf(archive, archiveId)
  if (archiveId === undefined) {
    const ids = [...new Set(marks.map((mark) => mark.archiveId))]
    if (ids.length === 0) return
    throw new RedisWentBack(
      `the database has the archive ${ids.join(', ')}, and this Redis knows none: ` +
        'it lost its data, or is another installation that was not migrated yet',
    )
  }
  const mark = marks.find((one) => one.shard === shard)
  if (mark !== undefined) await compareShard(mark, redis)
}

/** The archive that some shard knows. */
async function idOfOthers(redis: RedisToCompare): Promise<string | undefined> {
  const all = Array.from({ length: redis.shards }, (_, shard) => redis.state(shard))
  return (await Promise.all(all)).find((one) => one !== undefined)?.archiveId
}

async function compareShard(mark: ShardStands, redis: RedisToCompare): Promise<void> {
  const { shard, archivedTo, archivedEntry } = mark
  const known = await redis.state(shard)
  if (known === undefined)
    throw new RedisWentBack(`shard ${shard} is archived, and Redis does not know it`)
  if (archivedTo === undefined) return
  const entry = await redis.entryAt(shard, archivedTo)
  const what = `entry ${archivedTo} of the outbox of shard ${shard}`
  if (entry !== undefined && entry.digest !== archivedEntry)
    throw new RedisWentBack(`${what} is archived, and another one in Redis`)
  if (entry !== undefined) return
  const now = await redis.state(shard)
  if (now?.archivedTo !== undefined && isAfter(now.archivedTo, archivedTo)) return
  if (now?.isOff && now.archivedTo === archivedTo) return
  throw new RedisWentBack(`${what} is archived, and not in Redis`)
}

/** A database that was not migrated yet has none. */
const marksOf = (archive: Pick<Archive, 'shards'>, archiveId: string | undefined) =>
  archive.shards(archiveId).catch((error: unknown) => {
    if (isUndefinedTable(error)) return []
    throw error
  })
