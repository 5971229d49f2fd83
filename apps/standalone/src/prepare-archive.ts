import { maintain, openArchive } from '@placeorder/archive'
import { openArchiverStore, type RedisAddress } from '@placeorder/store'
import { demandChild } from './child.ts'

export type ArchiveToPrepare = {
  url: string
  redis: RedisAddress
  SHARDS: number
  REQUESTS_KEEP_MONTHS: number
}

/**
 * Brings the archive's schema up to date, and switches the copying on in Redis. Both are done at
 * most starts: then no command is run for it, which takes a second.
 *
 * @throws if the command fails, with its output
 */
export async function prepareArchive(
  archive: ArchiveToPrepare,
  env: Record<string, string>,
): Promise<void> {
  // What is wrong is for the command to say.
  if (await isPrepared(archive).catch(() => false)) return
  const entry = 'apps/operator/src/archive/main.ts'
  await demandChild({ name: 'npm run archive -- migrate', entry, args: ['migrate'] }, env)
}

/** Whether the schema is up to date, and both sides know each other. Makes partitions, too. */
async function isPrepared(prepared: ArchiveToPrepare): Promise<boolean> {
  const { url, redis: address, SHARDS: shards, REQUESTS_KEEP_MONTHS: requestsKeepMonths } = prepared
  await maintain(url, { requestsKeepMonths, now: Date.now() })
  const archive = openArchive({ url, connectionsMax: 1 })
  const store = await openArchiverStore({ address, shards, onFault: () => {} })
  try {
    const known = await archive.shards(await store.states.archiveId())
    for (let shard = 0; shard < shards; shard += 1) {
      const state = await store.states.of(shard)
      const isKnown = known.some((one) => one.archiveId === state?.archiveId && one.shard === shard)
      if (state === undefined || state.isOff || !isKnown) return false
    }
    return true
  } finally {
    await archive.close()
    await store.close()
  }
}
