import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { maintain, migrate, openArchive } from '@placeorder/archive'
import { FaultProxy, type System } from '@placeorder/testkit'
import type { Faults } from '../faults.ts'
import type { Random } from '../random.ts'
import { mountDisk } from '../topologies/disk.ts'
import { BothStores, type Compared } from './both-stores.ts'
import { postgresFaults } from './postgres-faults.ts'
import { PostgresNode } from './postgres-node.ts'

/** The archive of a system: a PostgreSQL that all processes reach through one proxy. */
export type ChaosArchive = Pick<BothStores, 'untilArchived' | 'untilForgotten'> & {
  /** The environment of all processes. */
  env: Readonly<Record<string, string>>
  faults: Faults
  compare: () => Promise<Compared>
  close: () => Promise<void>
}

/** How long orders stay in Redis (s). A look-up in the archive must be used within half of it. */
const KEEP_SECONDS = 3

/**
 * Starts the PostgreSQL with its files in `dir`, prepares it and switches the copying on.
 * `onFailure` is called when an archive is written to that is older than it was.
 */
export async function openChaosArchive(
  dir: string,
  system: System,
  { random, onFailure }: { random: Random; onFailure: (what: string) => void },
): Promise<ChaosArchive> {
  const disk = await mountDisk(join(dir, 'postgres'))
  const node = await PostgresNode.open(join(dir, 'postgres'))
  await migrate(node.url)
  await maintain(node.url, { requestsKeepMonths: 0, now: Date.now() })
  const proxy = await FaultProxy.open({ port: node.port }, () => random.next())
  const archive = openArchive({ url: node.url })
  const archiveId = randomUUID()
  await archive.register(archiveId, system.shards)
  const stores = new BothStores(system, archiveId)
  await stores.switchOn()
  const through = new URL(node.url)
  through.port = String(proxy.port)
  return {
    env: {
      ARCHIVE_URL: through.href,
      FORGET: 'true',
      TEST_KEEP_SECONDS: String(KEEP_SECONDS),
    },
    faults: postgresFaults({
      node,
      proxy,
      disk,
      stores,
      copy: join(dir, 'postgres-copy'),
      onWritten: onFailure,
    }),
    untilArchived: () => stores.untilArchived(),
    untilForgotten: () => stores.untilForgotten(),
    compare: () => stores.compare(archive),
    close: async () => {
      await archive.close()
      await proxy.close()
      await node.close()
      await disk?.close()
    },
  }
}
