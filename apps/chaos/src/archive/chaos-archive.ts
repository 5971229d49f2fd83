import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import {
  differences,
  type FoundOrder,
  maintain,
  migrate,
  openArchive,
  orderToArchive,
} from '@placeorder/archive'
import {
  type ConcludedRecord,
  digestOf,
  namesOf,
  openOperatorStore,
  orderIdOf,
} from '@placeorder/store'
import { FaultProxy, type System } from '@placeorder/testkit'
import type { ActiveFault, FaultKind, Faults } from '../faults.ts'
import type { Random } from '../random.ts'
import type { ChaosTestBed } from '../test-bed.ts'
import { PostgresNode } from './postgres-node.ts'

/** The archive of a system: a PostgreSQL that archivers reach through a proxy. */
export type ChaosArchive = {
  /** The environment of the archivers. */
  env: { ARCHIVE_URL: string }
  faults: Faults
  /**
   * Waits until all is archived, a bounded time, and compares Redis with PostgreSQL. Resolves with
   * what is wrong by orderId.
   */
  compare: () => Promise<Map<string, string>>
  close: () => Promise<void>
}

type Fail = (of: { node: PostgresNode; proxy: FaultProxy }) => Promise<ActiveFault['heal']>

/** How long each is active (ms): up to longer than an archiver waits for a statement. */
const kinds: Record<string, [holdMs: FaultKind['holdMs'], fail: Fail]> = {
  'kill PostgreSQL': [
    [0, 3_000],
    async ({ node }) => {
      await node.kill()
      return () => node.start()
    },
  ],
  'stop PostgreSQL': [
    [500, 6_000],
    async ({ node }) => {
      await node.stop()
      return () => node.resume()
    },
  ],
  'black hole to PostgreSQL': [
    [500, 15_000],
    async ({ proxy }) => {
      proxy.blackHole()
      return () => proxy.heal()
    },
  ],
  'cut an answer of PostgreSQL': [
    [0, 2_000],
    async ({ proxy }) => {
      await proxy.cutMidway('server')
      return () => proxy.heal()
    },
  ],
}

/** What an archiver that died had is taken over after 30 s. */
const ARCHIVED_MS_MAX = 120_000

/** Starts the PostgreSQL with its files in `dir`, prepares it and switches the copying on. */
export async function openChaosArchive(
  dir: string,
  system: System,
  random: Random,
): Promise<ChaosArchive> {
  const node = await PostgresNode.open(join(dir, 'postgres'))
  await migrate(node.url)
  await maintain(node.url, { requestsKeepMonths: 0, now: Date.now() })
  const proxy = await FaultProxy.open({ port: node.port }, () => random.next())
  const archive = openArchive({ url: node.url })
  const archiveId = randomUUID()
  await archive.register(archiveId, system.shards)
  const through = new URL(node.url)
  through.port = String(proxy.port)
  const store = () =>
    openOperatorStore({ address: system.address, shards: system.shards, onFault: () => {} })
  const { states, close } = await store()
  for (let shard = 0; shard < system.shards; shard += 1) await states.switchOn(shard, archiveId)
  await close()
  return {
    env: { ARCHIVE_URL: through.href },
    faults: Object.fromEntries(
      Object.entries(kinds).map(([name, [holdMs, fail]]) => [
        name,
        {
          holdMs,
          inject: (testBed, by) => onPostgres(testBed, by, node, () => fail({ node, proxy })),
        },
      ]),
    ),
    compare: async () => {
      const { outbox, records, allOrders, close } = await store()
      const wrong = new Map<string, string>()
      for (let shard = 0; shard < system.shards; shard += 1) {
        const until = performance.now() + ARCHIVED_MS_MAX
        while ((await outbox.progress(shard))?.oldest !== undefined && performance.now() < until)
          await wait(100)
        for await (const orderIds of allOrders.of(shard)) {
          const { found } = await archive.lookUp({ archiveId, shard }, orderIds.map(namesOf))
          const kept = await records.read(shard, orderIds)
          for (const [orderId, what] of differing(kept, found)) wrong.set(orderId, what)
        }
      }
      await close()
      return wrong
    },
    close: async () => {
      await archive.close()
      await proxy.close()
      await node.close()
    },
  }
}

/** What is wrong in the archive with orders of Redis. */
function differing(
  records: readonly (ConcludedRecord | Error)[],
  found: readonly FoundOrder[],
): [orderId: string, what: string][] {
  const byId = new Map(found.map((order) => [orderIdOf(order), order]))
  return records.flatMap((record): [string, string][] => {
    if (record instanceof Error) return [] // It is open, which other rules see.
    const there = byId.get(record.orderId)
    if (there === undefined) return [[record.orderId, 'is missing']]
    const names = differences(orderToArchive(record, digestOf), there)
    return names.length === 0 ? [] : [[record.orderId, `differs in ${names.join(', ')}`]]
  })
}

async function onPostgres(
  testBed: ChaosTestBed,
  random: Random,
  node: PostgresNode,
  fail: () => Promise<ActiveFault['heal']>,
): Promise<ActiveFault | undefined> {
  const taken = testBed.take([node], random)
  if (taken === undefined) return undefined
  const heal = await fail()
  return { on: node.name, heal: () => testBed.heal(taken, heal) }
}
