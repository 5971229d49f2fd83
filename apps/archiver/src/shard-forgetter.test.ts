import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openArchive } from '@placeorder/archive'
import { findPostgresServer, startLocalPostgres } from '@placeorder/local-services/postgres'
import type { OutboxEntry } from '@placeorder/store'
import { aPlaceOrder } from '@placeorder/testkit'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { openBothStores } from '../test/both-stores.ts'
import { copyBatch, readBatch } from './copy-batch.ts'
import { ShardForgetter } from './shard-forgetter.ts'

const { archive, archiveId, store, connection, conclude, postgres } = await openBothStores()
const observer = { copied: () => {}, contradicted: () => {}, setAside: () => {} }
const ends: (() => Promise<unknown>)[] = []
afterEach(async () => void (await Promise.all(ends.splice(0).map((end) => end()))))

/** Starts one whose orders are due at once. `meanwhile` runs after each look-up. */
function start({ keepMs = 0, url = postgres.url, meanwhile = async () => {} } = {}) {
  const opened = openArchive({ url })
  const asked: typeof opened = {
    ...opened,
    lookUp: async (...args) => {
      const lookedUp = await opened.lookUp(...args)
      await meanwhile()
      return lookedUp
    },
  }
  let forgotten = 0
  const reasons: string[] = []
  const counting = {
    ...observer,
    forgotten: (orders: number) => {
      forgotten += orders
    },
  }
  const deps = { store, archive: asked, archiveId, keepMs, observer: counting }
  const forgetter = new ShardForgetter(0, deps, (reason) => reasons.push(reason))
  const ending = new AbortController()
  const running = forgetter.run(ending.signal)
  ends.push(async () => {
    ending.abort()
    await running
    await asked.close()
  })
  return { forgetter, forgotten: () => forgotten, reasons }
}

async function copy(entries: OutboxEntry[]): Promise<void> {
  const deps = { store, archive, archiveId, observer }
  await copyBatch(0, await readBatch(0, entries, deps), deps)
}

async function archived(orders = 1): Promise<void> {
  await conclude(Array.from({ length: orders }, () => aPlaceOrder()))
  const entries = await store.outbox.read(0, 'test', 100)
  await copy(entries)
}
const records = async () => (await connection.keys('{s0}:order:*')).length
const within = { timeout: 20_000, interval: 20 }

test('what is archived is forgotten, entry by entry, and what comes later, too', async () => {
  for (let call = 0; call < 5; call += 1) await archived(120)
  const { forgotten } = start()
  await vi.waitFor(() => expect(forgotten()).toBe(600), within)
  await archived()
  await vi.waitFor(() => expect(forgotten()).toBe(601), within)
  expect(await records()).toBe(0)
  const { archivedTo } = (await store.states.of(0)) ?? {}
  expect((await store.forgetting.stateOf(0)).forgottenTo).toBe(archivedTo)
})

test('what is not due stays, as does what is not archived, and all after it', async () => {
  const late = start({ keepMs: 60_000 })
  await archived()
  const early = start()
  await vi.waitFor(() => expect(early.forgotten()).toBe(1), within)
  await conclude()
  const entries = await store.outbox.read(0, 'died', 100)
  await archived()
  await vi.waitFor(() => expect(early.forgetter.stopped).toContain('not in the archive'), within)
  expect(await records()).toBe(2)
  await copy(entries)
  await vi.waitFor(async () => expect(await records()).toBe(0), within)
  expect(late.forgotten()).toBe(0)
})

describe('nothing is forgotten', () => {
  const database = new URL(postgres.url).pathname.slice(1)
  const set = (setting: string) => postgres.query(`ALTER DATABASE ${database} SET ${setting}`)
  const reset = (name: string) => postgres.query(`ALTER DATABASE ${database} RESET ${name}`)

  test.each([
    [
      'while Redis may lose what it confirmed',
      () => connection.config('SET', 'appendfsync', 'everysec'),
      'appendfsync',
      () => connection.config('SET', 'appendfsync', 'always'),
    ],
    [
      'while PostgreSQL may lose what it confirmed',
      () => set('synchronous_commit = off'),
      'set synchronous_commit to on',
      () => reset('synchronous_commit'),
    ],
    [
      'by what a replica returns',
      () => set('default_transaction_read_only = on'),
      'name the primary',
      () => postgres.query(`BEGIN READ WRITE; ALTER DATABASE ${database} RESET ALL; COMMIT`),
    ],
    [
      'by an archive that is older than it was',
      () => connection.hincrby('{s0}:archive', 'committed', 1_000),
      'has confirmed',
      () => connection.hincrby('{s0}:archive', 'committed', -1_000),
    ],
    [
      'by a Redis that is older than it was',
      () => connection.hset('{s0}:archive', 'uuid', '00000000-0000-4000-8000-000000000000'),
      'does not know',
      () => connection.hset('{s0}:archive', 'uuid', archiveId),
    ],
  ])('%s', async (_, prepare, reason, undo) => {
    await archived()
    const before = await records()
    await prepare()
    try {
      const { forgetter, forgotten } = start()
      await vi.waitFor(() => expect(forgetter.stopped).toContain(reason), within)
      expect(forgotten()).toBe(0)
      expect(await records()).toBe(before)
    } finally {
      await undo()
    }
    await Promise.all(ends.splice(0).map((end) => end()))
    const { forgotten } = start()
    await vi.waitFor(() => expect(forgotten()).toBe(before), within)
  })

  test('while PostgreSQL does not sync what it confirmed', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'placeorder-unsynced-'))
    const args = ['-c', 'fsync=off']
    const found = await findPostgresServer(dir)
    const unsynced = await startLocalPostgres(found, { dir, args, quick: true })
    ends.push(async () => {
      await unsynced.stop()
      await rm(dir, { recursive: true, force: true })
    })
    await archived()
    const { forgetter } = start({ url: unsynced.url })
    await vi.waitFor(() => expect(forgetter.stopped).toContain('set fsync to on'), within)
    expect(await records()).toBe(1)
    const { forgotten } = start()
    await vi.waitFor(() => expect(forgotten()).toBe(1), within)
  })
})

test('what is archived after the look-up only puts forgetting off', async () => {
  await archived()
  let looks = 0
  const meanwhile = async () => {
    looks += 1
    if (looks === 1) await archived()
  }
  const { forgotten, reasons } = start({ meanwhile })
  await vi.waitFor(() => expect(forgotten()).toBe(2), within)
  expect(reasons).toEqual([])
})

test('once the clock of Redis was days ahead, orders are forgotten in their time', async () => {
  await connection.xadd('{s0}:outbox', `${Date.now() + 3 * 86_400_000}-0`, 'restored', '1')
  await archived(2)
  const late = start({ keepMs: 60_000 })
  const { forgotten } = start()
  await vi.waitFor(() => expect(forgotten()).toBe(2), within)
  expect(late.forgotten()).toBe(0)
})
