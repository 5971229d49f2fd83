import { afterAll, expect, test, vi } from 'vitest'
import { startProcess } from './start-process.ts'
import { openSystem } from './system.ts'
import { testPostgres } from './test-postgres.ts'

vi.setConfig({ testTimeout: 180_000 })

const [system, postgres] = await Promise.all([openSystem(), testPostgres()])
afterAll(async () => {
  await system.close()
  await postgres.close()
})
const env = { REDIS_URL: system.redisUrl, ARCHIVE_URL: postgres.url }

test.each([
  ['an ingress', system.startIngress],
  ['an archiver', system.startArchiver],
  ['a notifier', system.startNotifier],
])('%s refuses an older schema, naming the command, and takes a newer one', async (_who, start) => {
  const entry = 'apps/operator/src/archive/main.ts'
  expect(await startProcess({ name: 'archive', entry, args: ['migrate'], env }).exited).toBe(0)
  const [last] = await postgres.query('SELECT max(name) AS name FROM archive_migrations')
  await postgres.query('DELETE FROM archive_migrations WHERE name = $1', [last?.name])
  const refused = new RegExp(`${last?.name} is needed: run npm run archive -- migrate`)
  await expect(start(env)).rejects.toThrow(refused)
  await postgres.query(`INSERT INTO archive_migrations SELECT unnest($1::text[]), now()::text`, [
    [last?.name, '9999_later'],
  ])
  const started = await start(env)
  started.kill('SIGKILL')
  await started.exited
  await postgres.query(`DELETE FROM archive_migrations WHERE name = '9999_later'`)
})
