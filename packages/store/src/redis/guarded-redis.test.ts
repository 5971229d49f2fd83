import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openAuthority, startSentinelPair } from '@placeorder/testkit'
import { afterAll, describe, expect, test } from 'vitest'
import { findRedisServer, freePort, startLocalRedis } from '../../../local-services/src/redis.ts'
import { openIngressStore } from '../open-ingress-store.ts'
import { connect, type RedisAddress } from './connection.ts'

const dir = await mkdtemp(join(tmpdir(), 'placeorder-guarded-'))
const closing: (() => unknown)[] = [() => rm(dir, { recursive: true, force: true })]
afterAll(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})
const authority = await openAuthority(dir, 'authority')
const [ofServer, ofClient] = [await authority.issue('server'), await authority.issue('client')]
const files = { ca: authority.certFile, cert: ofServer.certFile, key: ofServer.keyFile }
const tls = { current: { ca: authority.cert, cert: ofClient.cert, key: ofClient.key } }
const app = ['--user', 'app', 'on', '>100%pure', '~*', '&*', '+@all']
const login = 'app:100%25pure@'

/**
 * What the server at a plain port says of the clients that are the user `app`: the address each is
 * connected to.
 */
async function addressesOf(port: number): Promise<Set<string>> {
  const looking = connect(one(`redis://127.0.0.1:${port}`), 'patient')
  const list = String(await looking.call('CLIENT', 'LIST'))
  looking.disconnect()
  const lines = list.split('\n').filter((line) => line.includes('user=app '))
  return new Set(lines.map((line) => /laddr=\S+:(\d+)/.exec(line)?.[1] ?? ''))
}

const one = (url: string): RedisAddress => ({
  urls: [url],
  cluster: false,
  sentinels: [],
  sentinelName: '',
})

/** Opens what an ingress does, on a Redis of this address, as its only user. */
async function openStore(address: RedisAddress) {
  const faults: unknown[] = []
  const options = { address, shards: 1, replicasMin: 0 }
  const store = await openIngressStore({ ...options, onFault: (error) => faults.push(error) })
  closing.push(store.close)
  return faults
}

describe('a Redis that asks for a certificate', async () => {
  const [port, tlsPort] = [await freePort(), await freePort()]
  const settings = ['--tls-port', String(tlsPort), '--tls-ca-cert-file', files.ca]
  const own = ['--tls-cert-file', files.cert, '--tls-key-file', files.key]
  const args = [...settings, ...own, ...app]
  const server = await startLocalRedis(await findRedisServer(), { dir, port, args })
  closing.push(server.stop)

  test('is spoken to in TLS with the certificate of the configuration', async () => {
    const address = { ...one(`rediss://${login}127.0.0.1:${tlsPort}`), tls }
    expect(await openStore(address)).toEqual([])
    expect(await addressesOf(port)).toEqual(new Set([String(tlsPort)]))
  })

  test('is connected to with the certificates that are current then', async () => {
    const changing = { ...tls }
    const address = { ...one(`rediss://${login}127.0.0.1:${tlsPort}`), tls: changing }
    const connection = connect(address, 'patient')
    closing.push(() => connection.disconnect())
    const errors: string[] = []
    connection.on('error', (error: Error) => errors.push(error.message))
    await connection.ping()
    changing.current = { ...tls.current, ca: ofClient.cert }
    const other = connect(one(server.url), 'patient')
    await other.call('CLIENT', 'KILL', 'USER', 'app')
    other.disconnect()
    await expect.poll(() => errors.join(), { timeout: 10_000 }).toMatch(/certificate/)
    changing.current = tls.current
    expect(await connection.ping()).toBe('PONG')
  })

  test('is found at an IPv6 literal', async () => {
    const looking = connect(one(server.url), 'patient')
    await looking.call('CONFIG', 'SET', 'bind', '127.0.0.1 ::1')
    looking.disconnect()
    expect(await openStore(one(`redis://${login}[::1]:${port}`))).toEqual([])
  })
})

describe('with a sentinel that asks for a user, a password and a certificate', async () => {
  const sentinelUser = { name: 'watcher', password: 'who/is#master' }
  const pair = await startSentinelPair({ tls: files, sentinelUser, args: app })
  closing.push(pair.close)
  const [host = '', port] = pair.sentinel.split(':')
  const address = {
    ...one(`rediss://${login}sentinel-of-another-name:1`),
    sentinels: [{ host, port: Number(port) }],
    sentinelName: pair.name,
    sentinelUsername: sentinelUser.name,
    sentinelPassword: sentinelUser.password,
    tls,
  }

  test('master and sentinel are spoken to in TLS alone', async () => {
    expect(await openStore(address)).toEqual([])
    expect(await addressesOf(pair.master.plain)).toEqual(new Set([String(pair.master.seen)]))
  })

  test.each([
    ['a wrong password of the sentinel', { sentinelPassword: 'x' }, /REDIS_SENTINEL_PASSWORD/],
    ['no password of the sentinel', { sentinelPassword: undefined }, /REDIS_SENTINEL_PASSWORD/],
    ['a name that no sentinel knows', { sentinelName: 'another' }, /REDIS_SENTINEL_NAME/],
    ['a wrong password of the master', { urls: ['rediss://app:x@h:1'] }, /REDIS_URL.*WRONGPASS/],
  ])('%s is reported at once', async (_name, changes, fault) => {
    await expect(openStore({ ...address, ...changes })).rejects.toThrow(fault)
  })
})
