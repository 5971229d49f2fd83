import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { standaloneFile, withStandalone } from './standalone.ts'

const up = {
  pid: process.pid,
  environment: { REDIS_URL: 'redis://:secret@127.0.0.1:20001', SHARDS: '2' },
  placeOrder: 'http://127.0.0.1:3000/place',
  ingress: { pid: 1, admin: 'http://127.0.0.1:9100' },
  worker: { pid: 1, admin: 'http://127.0.0.1:9101' },
}

let DATA_DIR: string
beforeAll(async () => {
  DATA_DIR = await mkdtemp(join(tmpdir(), 'placeorder-data-'))
})
afterAll(() => rm(DATA_DIR, { recursive: true }))

function found(env: Record<string, string>) {
  const printed: string[] = []
  return { env: withStandalone({ DATA_DIR, ...env }, (line) => printed.push(line)), printed }
}

test('a command without a Redis uses that of npm start, and prints so', async () => {
  await writeFile(standaloneFile(DATA_DIR), JSON.stringify(up))
  const { env, printed } = found({ LOG_LEVEL: 'info' })
  expect(env).toEqual({ DATA_DIR, LOG_LEVEL: 'info', ...up.environment })
  expect(printed).toEqual([`using the Redis of npm start (pid ${process.pid})`])
})

test('a command without a Redis uses the archive of npm start, unless it has one', async () => {
  const ARCHIVE_URL = 'postgres://placeorder:secret@127.0.0.1:20002/postgres'
  const environment = { ...up.environment, ARCHIVE_URL }
  await writeFile(standaloneFile(DATA_DIR), JSON.stringify({ ...up, environment }))
  expect(found({}).env).toMatchObject({ ARCHIVE_URL })
  const named = { ARCHIVE_URL: 'postgres://db/placeorder' }
  expect(found(named).env).toMatchObject(named)
})

test.each([
  ['a URL', { REDIS_URL: 'redis://127.0.0.1:6379' }],
  ['a Cluster', { REDIS_CLUSTER: 'true' }],
  ['Sentinels', { REDIS_SENTINELS: '127.0.0.1:26379' }],
  ['another folder of data', { DATA_DIR: '/nowhere' }],
])('a command that is given %s uses that', async (_what, given) => {
  await writeFile(standaloneFile(DATA_DIR), JSON.stringify(up))
  expect(found(given)).toEqual({ env: { DATA_DIR, ...given }, printed: [] })
})

test.each([
  ['a process that has ended', JSON.stringify({ ...up, pid: 2 ** 22 + 1 })],
  ['an interrupted write', JSON.stringify(up).slice(0, 50)],
  ['another program', '{}'],
])('a file left by %s is not used', async (_what, text) => {
  await writeFile(standaloneFile(DATA_DIR), text)
  expect(found({})).toEqual({ env: { DATA_DIR }, printed: [] })
})
