import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { maintain, openArchive } from '@placeorder/archive'
import { namesOf } from '@placeorder/store'
import { aPlaceOrder, startProcess, type TestPostgres } from '@placeorder/testkit'
import { afterAll, expect, test, vi } from 'vitest'
import { openBothStores } from './both-stores.ts'

vi.setConfig({ testTimeout: 120_000 })

/** Roles are the server's: those of this run have names of their own. */
const suffix = randomBytes(4).toString('hex')
const roles = ['owner', 'archiver', 'reader'] as const
type Role = (typeof roles)[number]
const nameOf = (role: Role) => `placeorder_${role}_${suffix}`

const docs = await readFile(join(import.meta.dirname, '../../../docs/archive.md'), 'utf8')
const [, rights = ''] = docs.split('\n## Rights\n')
const [toCreate = '', toGrant = ''] = [...rights.matchAll(/```sql\n([^`]*)```/g)].map(
  ([, sql = '']) =>
    sql
      .replaceAll(/placeorder_(owner|archiver|reader)/g, `$&_${suffix}`)
      .replaceAll("'…'", `'${suffix}'`),
)

function urlOf(role: Role, { url }: Pick<TestPostgres, 'url'>): string {
  const other = new URL(url)
  other.username = nameOf(role)
  other.password = suffix
  return other.href
}

const both = await openBothStores({
  ownerIn: async (postgres) => {
    await postgres.query(toCreate)
    return urlOf('owner', postgres)
  },
})
const { archiveId, conclude, postgres, store } = both
await postgres.query(toGrant)
const reader = openArchive({ url: urlOf('reader', postgres) })
afterAll(async () => {
  await reader.close()
  for (const role of roles) await postgres.query(`DROP OWNED BY ${nameOf(role)} CASCADE`)
  for (const role of roles) await postgres.query(`DROP ROLE ${nameOf(role)}`)
})

test('the roles of the documentation migrate, maintain, copy and find orders', async () => {
  const orderIds = await conclude()
  const archiver = startProcess({
    name: 'archiver',
    entry: 'apps/archiver/src/main.ts',
    env: {
      REDIS_URL: both.redisUrl,
      ARCHIVE_URL: urlOf('archiver', postgres),
      ADMIN_PORT: '0',
      ADMIN_HOST: '127.0.0.1',
    },
  })
  try {
    const within = { timeout: 60_000, interval: 250 }
    const shard = { archiveId, shard: 0 }
    await vi.waitFor(async () => {
      const { found } = await reader.lookUp(shard, orderIds.map(namesOf))
      expect(found).toHaveLength(orderIds.length)
    }, within)
    await vi.waitFor(
      async () => expect((await store.outbox.progress(0))?.oldest).toBeUndefined(),
      within,
    )
  } finally {
    archiver.kill('SIGTERM')
    await archiver.exited
  }
  await reader.check()
  const { referenceMerchantId: merchantId } = aPlaceOrder().merchant
  const pages = reader.search({ merchantId, from: 0, to: Date.now() + 60_000 })
  let found = 0
  for await (const page of pages) found += page.length
  expect(found).toBe(orderIds.length)
  const year = { requestsKeepMonths: 12, now: Date.now() }
  expect((await maintain(urlOf('owner', postgres), year)).made).not.toEqual([])
})

test.each<[Role, string]>([
  ['archiver', 'UPDATE orders SET outcome = outcome'],
  ['archiver', 'DELETE FROM orders'],
  ['archiver', 'DELETE FROM order_requests'],
  ['archiver', 'DELETE FROM archive_shards'],
  ['archiver', 'CREATE TABLE more (id integer)'],
  ['reader', 'INSERT INTO orders SELECT * FROM orders'],
  ['reader', 'UPDATE archive_shards SET version = version'],
  ['reader', 'DELETE FROM orders'],
])('the role %s may not: %s', async (role, sql) => {
  await expect(postgres.query(`SET ROLE ${nameOf(role)}; ${sql}`)).rejects.toThrow(
    /permission denied/,
  )
})
