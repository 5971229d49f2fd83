import { compareRedis } from '@placeorder/archive'
import type { OperatorStore } from '@placeorder/store'
import { exitCode } from '../command-line.ts'
import type { ArchiveDeps, BothStores } from './command.ts'
import { demandBelieved } from './rebuild.ts'
import { agree } from './restore.ts'

/**
 * Switches the copying off: Redis keeps nothing for the archive from now on. Before that it notes
 * the entry that the archive names, so that a Redis that is older, and names another one, is still
 * noticed when the entry itself is removed. No archiver commits a later one: batches are refused
 * first, and the one that was being written then is waited for. May run again.
 */
export async function switchOff(
  { store, archive }: BothStores,
  { out }: ArchiveDeps,
): Promise<number> {
  const { states } = store
  const archiveId = await states.archiveId()
  const copied: number[] = []
  for (let shard = 0; shard < store.shards; shard += 1) {
    if ((await states.of(shard)) === undefined) continue
    await compareRedis(archive, redisOf(store), shard)
    await states.stopCopying(shard)
    copied.push(shard)
  }
  const stands = archiveId === undefined ? [] : await archive.settledShards(archiveId)
  for (const { archivedTo, ...one } of stands)
    if (archivedTo !== undefined) await states.raise(one.shard, { ...one, archivedTo })
  for (const shard of copied) await states.switchOff(shard)
  out.write('copying is switched off: end the archivers; to go on, migrate and then backfill\n')
  return exitCode.good
}

/**
 * Switches the copying on. Where it was switched off, the entry that the archive names may be
 * removed, so both name a new one, unless one of them is older than it was. May run again.
 */
export async function switchOn(
  archiveId: string,
  stores: Pick<BothStores, 'store' | 'archive'>,
): Promise<void> {
  const { store, archive } = stores
  for (let shard = 0; shard < store.shards; shard += 1) {
    const isOff = (await store.states.of(shard))?.isOff ?? false
    if (isOff) {
      await compareRedis(archive, redisOf(store), shard)
      await demandBelieved([shard], stores)
    }
    await store.states.switchOn(shard, archiveId)
    const stands = isOff ? await standsOf(archive, archiveId, shard) : undefined
    if (stands !== undefined) await agree(stands, stores)
  }
}

const standsOf = async (archive: BothStores['archive'], archiveId: string, shard: number) =>
  (await archive.shards(archiveId)).find((one) => one.shard === shard)

const redisOf = ({ shards, states, outbox }: OperatorStore) => ({
  shards,
  state: (shard: number) => states.of(shard),
  entryAt: (shard: number, id: string) => outbox.entryAt(shard, id),
})
