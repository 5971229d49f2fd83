import { type Archive, type RedisSide, RedisWentBack } from '@placeorder/archive'
import type { ReshardStore } from '@placeorder/store'

/** A change of the number of shards, and what its steps work with. */
export type Change = {
  store: ReshardStore
  archive: Archive
  archiveId: string
  from: number
  to: number
  /** Says how much of a step is done so far. */
  progress: (done: string) => void
}

export const shardsUpTo = (count: number): number[] =>
  Array.from({ length: count }, (_, shard) => shard)

export const counted = (count: number, what: string): string =>
  `${count.toLocaleString('en')} ${what}`

/** The sinks that read the outbox of any of so many shards. */
export async function sinksOf(
  { streams }: Pick<ReshardStore, 'streams'>,
  shards: number,
): Promise<string[]> {
  const names = await Promise.all(shardsUpTo(shards).map((shard) => streams.list(shard)))
  return [...new Set(names.flat())].sort()
}

/** What the archive compares itself with. */
export async function redisSideOf(
  { store, archiveId }: Pick<Change, 'store' | 'archiveId'>,
  shard: number,
  at: string | undefined,
): Promise<RedisSide> {
  const state = await store.states.of(shard)
  if (state?.archiveId !== archiveId)
    throw new RedisWentBack(`Redis does not know that shard ${shard} is copied to this archive`)
  if (state.isOff) throw new Error('copying is switched off: run npm run archive -- migrate')
  const entry = at === undefined ? undefined : await store.outbox.entryAt(shard, at)
  return { committed: state.needed, entry }
}
