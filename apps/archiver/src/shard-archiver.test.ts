import type { OutboxEntry } from '@placeorder/store'
import { expect, test, vi } from 'vitest'
import { openBothStores } from '../test/both-stores.ts'
import type { CopyDeps } from './copy-batch.ts'
import { ShardArchiver } from './shard-archiver.ts'

const { archive, archiveId, store, connection, conclude } = await openBothStores()
const OUTBOX = '{s0}:outbox'

/** What a new master has that never got this entry, whose orders were concluded anew. */
async function loseWithMaster({ id }: OutboxEntry): Promise<void> {
  const [[, fields] = ['', []]] = await connection.xrange(OUTBOX, id, id)
  await connection.xdel(OUTBOX, id)
  await connection.xadd(OUTBOX, '*', ...fields)
}

test('an entry that is lost with its master is not the one that the archive names', async () => {
  const orderIds = await conclude()
  let lost: string | undefined
  const records: CopyDeps['store']['records'] = {
    read: async (...args) => {
      const [entry] = await store.outbox.from(0, '-', 1)
      if (lost === undefined && entry !== undefined) {
        lost = entry.id
        await loseWithMaster(entry)
      }
      return store.records.read(...args)
    },
  }
  const durability: CopyDeps['store']['durability'] = {
    replicated: async () => true,
    entryReplicated: async (shard, id) => (await store.outbox.entryAt(shard, id)) !== undefined,
  }
  const observer = { copied: () => {}, contradicted: () => {}, setAside: () => {} }
  const deps = { store: { ...store, records, durability }, archive, archiveId, observer }
  const ending = new AbortController()
  const running = new ShardArchiver(0, 'a', deps, () => {}).run(ending.signal)
  const archivedTo = async () => (await archive.shards(archiveId))[0]?.archivedTo
  await vi.waitFor(async () => expect(await archivedTo()).toBeDefined(), { timeout: 30_000 })
  ending.abort()
  await running
  const [entry] = await store.outbox.from(0, '-', 1)
  expect(entry).toMatchObject({ orderIds, id: await archivedTo() })
  expect(entry?.id).not.toBe(lost)
}, 60_000)
