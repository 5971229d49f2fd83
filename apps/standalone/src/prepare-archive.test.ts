import { connect, disconnect } from '@placeorder/store'
import { testPostgres, testRedis } from '@placeorder/testkit'
import { afterAll, beforeEach, expect, test, vi } from 'vitest'
import { prepareArchive } from './prepare-archive.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })
const [redis, postgres] = await Promise.all([testRedis({ own: true }), testPostgres()])
const address = { urls: [redis.url], cluster: false, sentinels: [], sentinelName: '' }
const connection = connect(address, 'patient')
afterAll(async () => {
  await disconnect(connection)
  await Promise.all([redis.close(), postgres.close()])
})

const archive = { url: postgres.url, redis: address, SHARDS: 1, REQUESTS_KEEP_MONTHS: 0 }
beforeEach(async () => {
  await connection.flushall()
  await postgres.query('DROP SCHEMA public CASCADE')
  await postgres.query('CREATE SCHEMA public')
  await prepareArchive(archive, { REDIS_URL: redis.url, ARCHIVE_URL: postgres.url })
})

// In an empty environment the command fails, for want of ARCHIVE_URL.
const withoutCommand = (another = archive) => prepareArchive(another, {})
const failed = 'npm run archive -- migrate failed'

test('an archive that is prepared needs no command, and gets the months to come', async () => {
  const months = `SELECT relname FROM pg_class WHERE relname LIKE 'order_requests_y%'
    AND relkind = 'r' ORDER BY 1`
  const made = await postgres.query(months)
  await postgres.query(`DROP TABLE ${made.at(-1)?.relname}`)
  await withoutCommand()
  expect(await postgres.query(months)).toEqual(made)
})

test.each([
  ['with an older schema', () => postgres.query('DELETE FROM archive_migrations')],
  ['that does not know this Redis', () => postgres.query('DELETE FROM archive_shards')],
  ['of a Redis that lost its data', () => connection.flushall()],
  ['that was switched off', () => connection.hset('{s0}:archive', 'off', '1')],
])('an archive %s is prepared by the command', async (_what, change) => {
  await change()
  await expect(withoutCommand()).rejects.toThrow(failed)
})

test('an archive that does not answer is for the command to report', async () => {
  const gone = { ...archive, url: 'postgres://placeorder@127.0.0.1:1/postgres' }
  await expect(withoutCommand(gone)).rejects.toThrow(failed)
})
