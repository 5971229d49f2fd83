import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TLSSocket } from 'node:tls'
import { FaultProxy, openAuthority, testPostgres } from '@placeorder/testkit'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
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

test.each(['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout'])(
  'the %s of a connection is 10 s',
  async (name) => {
    expect((await pool.query(`SHOW ${name}`)).rows).toEqual([{ [name]: '10s' }])
  },
)

describe('within the time of a statement,', () => {
  const patient = openPool({ url: there.href, unbounded: true })
  const bounded = openPool({ url: there.href, statementMsMax: 500 })
  beforeAll(() => patient.query('CREATE TABLE held ()'))
  afterAll(async () => void (await Promise.all([patient.end(), bounded.end()])))

  test('a lock that somebody else holds fails a statement', async () => {
    await transaction(patient, async (holder) => {
      await holder.query('LOCK TABLE held')
      await expect(bounded.query('SELECT FROM held')).rejects.toThrow(/due to .* timeout/)
    })
  })

  test('a transaction that pauses is ended, and holds its lock no longer', async () => {
    const paused = transaction(bounded, async (holder) => {
      await holder.query('LOCK TABLE held')
      await once(holder, 'end')
    })
    await expect(paused).rejects.toThrow()
    await transaction(patient, (waiting) => waiting.query('LOCK TABLE held'))
  })
})

test('an authority is trusted whose file begins with a byte order mark', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'placeorder-ca-'))
  const authority = await openAuthority(dir, 'authority')
  const { cert, key } = await authority.issue('postgres')
  const ca = join(dir, 'marked.pem')
  await writeFile(ca, `\uFEFF${authority.cert}`)
  const trusted = Promise.withResolvers<void>()
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => {
      socket.write('S') // To the request for TLS.
      const secure = new TLSSocket(socket, { isServer: true, cert, key })
      secure.on('error', trusted.reject)
      secure.once('data', () => {
        trusted.resolve() // The client sends who it is only to whom it trusts.
        secure.destroy()
      })
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const url = `postgres://u:p@127.0.0.1:${port}/d?sslmode=verify-full&sslrootcert=${ca}`
  const secured = openPool({ url })
  await expect(secured.query('SELECT 1')).rejects.toThrow()
  await trusted.promise
  await secured.end()
  server.close()
  await rm(dir, { recursive: true })
})
