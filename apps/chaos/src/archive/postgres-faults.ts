import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'
import { FaultProxy } from '@placeorder/testkit'
import type { ActiveFault, FaultKind, Faults } from '../faults.ts'
import type { Random } from '../random.ts'
import type { Disk } from '../topologies/disk.ts'
import { onAll } from '../topologies/node-faults.ts'
import type { BothStores } from './both-stores.ts'
import type { PostgresNode } from './postgres-node.ts'

export type PostgresToBreak = {
  node: PostgresNode
  /** What all processes reach it through. */
  proxy: FaultProxy
  /** The disk of its files; undefined where none could be mounted. */
  disk: Disk | undefined
  /** A folder for a copy of its files. */
  copy: string
  stores: Pick<BothStores, 'versions' | 'committed'>
  /** Called when an archive that is behind was written to. */
  onWritten: (what: string) => void
}

type Fail = (of: PostgresToBreak, random: Random) => Promise<ActiveFault['heal'] | undefined>

/** An older copy is older by this time at least and at most (ms): orders are forgotten in it. */
const OLDER_MS = [0, 8_000] as const

/** A replica lags for this time at least and at most (ms). */
const LAG_MS = [0, 1_000] as const

/** How long it may take until more of each shard is archived, or a replica has everything (ms). */
const UNTIL_MS_MAX = 10_000

/** How often versions are looked at (ms). */
const LOOK_MS = 100

/** The faults of a PostgreSQL: up to longer than an archiver waits for a statement. */
export function postgresFaults(postgres: PostgresToBreak): Faults {
  const { node, disk } = postgres
  const alone = (holdMs: FaultKind['holdMs'], fail: Fail): FaultKind => ({
    holdMs,
    inject: (testBed, random) =>
      onAll([node], testBed, random, () => activeFault(fail, postgres, random)),
  })
  // What Redis knows of versions must not be lost while PostgreSQL is older than it was.
  const alsoRedis = (holdMs: FaultKind['holdMs'], fail: Fail): FaultKind => ({
    holdMs,
    inject: (testBed, random) =>
      onAll([node, ...testBed.topology.nodes], testBed, random, () =>
        activeFault(fail, postgres, random),
      ),
  })
  return {
    'kill PostgreSQL': alone([0, 3_000], async () => {
      await node.kill()
      return () => node.start()
    }),
    'stop PostgreSQL': alone([500, 6_000], async () => {
      await node.stop()
      return () => node.resume()
    }),
    'black hole to PostgreSQL': alone([500, 15_000], async ({ proxy }) => {
      proxy.blackHole()
      return () => proxy.heal()
    }),
    'cut an answer of PostgreSQL': alone([0, 2_000], async ({ proxy }) => {
      proxy.cutMidway('server')
      return () => proxy.heal()
    }),
    ...(disk && { 'fill the disk of PostgreSQL': alone([1_000, 5_000], fullDisk(disk)) }),
    'PostgreSQL from an older copy': alsoRedis([1_000, 6_000], putBackCopy),
    'PostgreSQL fails over to a replica that lags': alsoRedis([1_000, 6_000], failOver),
  }
}

async function activeFault(
  fail: Fail,
  postgres: PostgresToBreak,
  random: Random,
): Promise<ActiveFault | undefined> {
  const heal = await fail(postgres, random)
  return heal && { on: postgres.node.name, heal }
}

const fullDisk =
  (disk: Disk): Fail =>
  async ({ node }) => {
    await disk.fill()
    return async () => {
      await disk.empty()
      await node.start() // It may have ended: it could not write its log.
    }
  }

/** Puts back older files; at the end, the latest ones. Nothing is written to the older ones. */
const putBackCopy: Fail = async (postgres, random) => {
  const { node, copy, stores } = postgres
  await copyFiles(postgres)
  const then = await stores.versions(node.url)
  await wait(random.whole(...OLDER_MS))
  const isOlder = await until(async () => isBehind(then, await stores.committed()))
  if (!isOlder) return undefined
  await node.kill()
  const older = await node.startCopy(copy)
  const copied = await stores.versions(older.url) // More may have been written since the copy.
  return async () => {
    await demandUnwritten(older, copied, postgres)
    await older.close()
    await node.start()
  }
}

/**
 * Makes a replica the primary that lacks what was committed last; at the end, the old primary
 * again. Nothing is written to the replica.
 */
const failOver: Fail = async (postgres, random) => {
  const { node, copy, proxy, stores } = postgres
  await copyFiles(postgres)
  const link = await FaultProxy.open({ port: node.port })
  const replica = await node.startReplica(copy, link.port)
  const close = async () => {
    await replica.close()
    await link.close()
  }
  const goal = await stores.versions(node.url)
  assert(
    await until(
      async () => !(await stores.versions(replica.url)).some((n, i) => n < (goal[i] ?? 0)),
    ),
    'a replica gets what its primary has',
  )
  link.blackHole()
  await wait(random.whole(...LAG_MS))
  const lags = await until(async () =>
    isBehind(await stores.versions(replica.url), await stores.committed()),
  )
  if (!lags) {
    await close()
    return undefined
  }
  const then = await stores.versions(replica.url)
  await node.kill()
  await replica.promote()
  proxy.leadTo({ port: replica.port })
  return async () => {
    await demandUnwritten(replica, then, postgres)
    await close()
    await node.start()
    proxy.leadTo({ port: node.port })
  }
}

async function copyFiles({ node, copy }: PostgresToBreak): Promise<void> {
  await node.kill()
  await rm(copy, { recursive: true, force: true })
  await node.copyTo(copy)
  await node.start()
}

/** Whether each shard of an archive is behind what was committed: none of them may be written. */
const isBehind = (versions: number[], committed: number[]): boolean =>
  versions.every((version, shard) => version < (committed[shard] ?? 0))

async function demandUnwritten(
  older: PostgresNode,
  then: number[],
  { stores, onWritten }: PostgresToBreak,
): Promise<void> {
  const now = await stores.versions(older.url)
  if (now.some((version, shard) => version !== then[shard]))
    onWritten(`an archive that was behind was written to: ${then} became ${now}`)
}

async function until(isSo: () => Promise<boolean>): Promise<boolean> {
  const deadline = performance.now() + UNTIL_MS_MAX
  while (!(await isSo())) {
    if (performance.now() > deadline) return false
    await wait(LOOK_MS)
  }
  return true
}
