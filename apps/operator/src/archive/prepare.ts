import { randomUUID } from 'node:crypto'
import { maintain, migrate } from '@placeorder/archive'
import { exitCode } from '../command-line.ts'
import { type ArchiveDeps, type BothStores, maintainedText } from './command.ts'
import { switchOn } from './switch.ts'

/**
 * Prepares the database first, and switches Redis on last, so that nothing is appended that nobody
 * could copy. A Redis that knows no archive, and a database that has one, may be a Redis that lost
 * its data: that is not taken for a new installation.
 */
export async function prepare(
  { store, archive, url, requestsKeepMonths }: BothStores,
  another: boolean,
  { out, err }: ArchiveDeps,
): Promise<number> {
  const names = await migrate(url)
  for (const name of names) out.write(`migrated ${name}\n`)
  if (names.length === 0) out.write('the schema is up to date\n')
  out.write(maintainedText(await maintain(url, { requestsKeepMonths, now: Date.now() })))
  const known = await store.states.archiveId()
  const there = new Set((await archive.shards()).map(({ archiveId }) => archiveId))
  if (known === undefined && there.size > 0 && !another) {
    err.write(
      `this database has the archive ${[...there].join(', ')}, and this Redis knows none: ` +
        'did it lose its data?\n' +
        'If it is another installation beside that one, say so: --another\n',
    )
    return exitCode.missed
  }
  if (known !== undefined && there.size > 0 && !there.has(known)) {
    err.write(
      `this database does not have the archive ${known} of this Redis: is ARCHIVE_URL right?\n`,
    )
    return exitCode.missed
  }
  const archiveId = known ?? randomUUID()
  await archive.register(archiveId, store.shards)
  await switchOn(archiveId, { store, archive })
  out.write(`orders of ${store.shards} shards are copied to the archive ${archiveId}\n`)
  return exitCode.good
}
