import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, expect, test, vi } from 'vitest'
import { findPostgresServer, type PostgresServer, startLocalPostgres } from './postgres.ts'

const run = promisify(execFile)
const folders: string[] = []
afterEach(async () => {
  for (const dir of folders.splice(0)) await rm(dir, { recursive: true, force: true })
})

async function newFolder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'placeorder-'))
  folders.push(dir)
  return dir
}

async function query({ bin }: PostgresServer, url: string, sql: string): Promise<string> {
  const { stdout } = await run(join(bin, 'psql'), ['-X', '-A', '-t', '-d', url, '-c', sql])
  return stdout.trim()
}

vi.setConfig({ testTimeout: 120_000 })

test('a local PostgreSQL is durable, and keeps after a kill what it committed', async () => {
  const dir = join(await newFolder(), 'postgres')
  const server = await findPostgresServer(dir)
  const first = await startLocalPostgres(server, { dir })
  for (const name of ['fsync', 'synchronous_commit', 'full_page_writes'])
    expect(await query(server, first.url, `SHOW ${name}`)).toBe('on')
  await query(server, first.url, "CREATE TABLE kept AS SELECT 'before' AS word")
  // At once, without a checkpoint; SIGKILL would leave its children for a while.
  first.process.kill('SIGQUIT')
  await first.ended
  const second = await startLocalPostgres(server, { dir })
  expect(await query(server, second.url, 'SELECT word FROM kept')).toBe('before')
  await second.stop()
  expect(second.process.exitCode).toBe(0)
})

test('a local PostgreSQL is reached at 127.0.0.1 alone, with its password', async () => {
  const dir = join(await newFolder(), 'postgres')
  const server = await findPostgresServer(dir)
  const wrong = startLocalPostgres(server, { dir, quick: true, args: ['-c', 'no_such=x'] })
  await expect(wrong, 'a server that cannot start says why').rejects.toThrow('no_such')
  const postgres = await startLocalPostgres(server, { dir })
  expect(await query(server, postgres.url, 'SHOW unix_socket_directories')).toBe('')
  expect(await query(server, postgres.url, 'SHOW listen_addresses')).toBe('127.0.0.1')
  const stranger = postgres.url.replace(/:[0-9a-f]{48}@/, ':wrong@')
  await expect(query(server, stranger, 'SELECT 1')).rejects.toThrow('authentication failed')
  await postgres.stop()
})
