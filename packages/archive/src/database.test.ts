import { once } from 'node:events'
import { FaultProxy, testPostgres } from '@placeorder/testkit'
import { afterAll, afterEach, expect, test } from 'vitest'
import { openPool, transaction } from './database.ts'

const postgres = await testPostgres()
const there = new URL(postgres.url)
const proxy = await FaultProxy.open({ host: there.hostname, port: Number(there.port) })
const through = new URL(there)
through.hostname = '127.0.0.1'
through.port = String(proxy.port)
const pool = openPool({ url: through.href })
afterEach(() => proxy.heal())
afterAll(async () => {
  await pool.end()
  await proxy.close()
  await postgres.close()
})

// Whatever were thrown outside would fail the run.
test('a connection cut during a statement fails its transaction, and nothing else', async () => {
  const cut = transaction(pool, async (client) => {
    const slow = client.query('SELECT pg_sleep(30)')
    await proxy.cut()
    await slow
  })
  await expect(cut).rejects.toThrow()
  await proxy.heal()
  expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
})

test('a connection cut between statements fails its transaction, and nothing else', async () => {
  const cut = transaction(pool, async (client) => {
    const ended = once(client, 'end')
    await proxy.cut()
    await ended
    await client.query('SELECT 1')
  })
  await expect(cut).rejects.toThrow()
  await proxy.heal()
  expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
})
