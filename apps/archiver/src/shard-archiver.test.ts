import { namesOf, type OrderId, type OutboxEntry } from '@placeorder/store'
import { expect, test, vi } from 'vitest'
import { openBothStores } from '../test/both-stores.ts'
import type { CopyDeps } from './copy-batch.ts'
import { ShardArchiver } from './shard-archiver.ts'

const { archive, archiveId, store, connection, conclude } = await openBothStores()
const WAITED = { timeout: 30_000 }
const OUTBOX = '{s0}:outbox'

/** What a new master has that never got this entry, whose orders were concluded anew. */
async function loseWithMaster({ id }: OutboxEntry): Promise<void> {
  const [[, fields] = ['', []]] = await connection.xrange(OUTBOX, id, id)
  await connection.xdel(OUTBOX, id)
  await connection.xadd(OUTBOX, '*', ...fields)
}

const observer = { copied: () => {}, contradicted: () => {}, setAside: () => {} }

/** Copies the shard until `until` resolves. */
async function copying(deps: Partial<CopyDeps>, until: () => Promise<unknown>): Promise<void> {
  const ending = new AbortController()
  const all = { store, archive, archiveId, observer, ...deps }
  const running = new ShardArchiver(0, 'a', all, () => {}).run(ending.signal)
  await until().finally(() => ending.abort())
  await running
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
  const archivedTo = async () => (await archive.shards(archiveId))[0]?.archivedTo
  await copying({ store: { ...store, records, durability } }, () =>
    vi.waitFor(async () => expect(await archivedTo()).toBeDefined(), WAITED),
  )
  const [entry] = await store.outbox.from(0, '-', 1)
  expect(entry).toMatchObject({ orderIds, id: await archivedTo() })
  expect(entry?.id).not.toBe(lost)
}, 60_000)

test('an order that could not be read is archived once it can be', async () => {
  const [orderId = '' as OrderId] = await conclude()
  const key = `{s0}:order:${orderId}`
  const request = (await connection.hget(key, 'request')) ?? ''
  // As a newer version might have written it.
  await connection.hset(key, 'request', `4${request.slice(1)}`)
  const setAside = () => store.states.listSetAside(0)
  await copying({}, async () => {
    await vi.waitFor(async () => expect(await setAside()).toMatchObject([{ orderId }]), WAITED)
    await connection.hset(key, 'request', request)
    await vi.waitFor(async () => expect(await setAside()).toEqual([]), WAITED)
  })
  const { found } = await archive.lookUp({ archiveId, shard: 0 }, [namesOf(orderId)])
  expect(found).toHaveLength(1)
}, 90_000)
