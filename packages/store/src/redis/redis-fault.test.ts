import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openAuthority } from '@placeorder/testkit'
import { afterAll, expect, test } from 'vitest'
import { findRedisServer, freePort, startLocalRedis } from '../../../local-services/src/redis.ts'
import { openIngressStore } from '../open-ingress-store.ts'
import { openDirectory, openOperatorStore, openWorkerStore, reportOn } from '../open-store.ts'
import type { RedisAddress } from './connection.ts'
import { RedisFault } from './redis-fault.ts'

const dir = await mkdtemp(join(tmpdir(), 'placeorder-fault-'))
const authority = await openAuthority(dir, 'authority')
const certificate = await authority.issue('server')
const [port, tlsPort] = [await freePort(), await freePort()]
const tls = ['--tls-port', String(tlsPort), '--tls-ca-cert-file', authority.certFile]
const own = ['--tls-cert-file', certificate.certFile, '--tls-key-file', certificate.keyFile]
const users = [
  ['looker', 'on', '>secret', '~*', '+ping', '+info', '+hello'],
  ['guest', 'on', '>secret', '~*', '&*', '+@all'],
].flatMap((user) => ['--user', ...user])
const binary = await findRedisServer()
const server = await startLocalRedis(binary, { dir, port, args: [...tls, ...own, ...users] })
await reportOn({ urls: [server.url], cluster: false, sentinels: [], sentinelName: '' }, 1)
const full = await startLocalRedis(binary, { dir: join(dir, 'full'), args: ['--maxmemory', '1'] })
const other = createServer((_request, response) => void response.end('hello')).listen(0)
const otherPort = (other.address() as AddressInfo).port
afterAll(async () => {
  other.close()
  await Promise.all([server.stop(), full.stop()])
  await rm(dir, { recursive: true, force: true })
})

const openers = {
  ingress: (address: RedisAddress) => openIngressStore({ address, shards: 1, onFault: () => {} }),
  worker: (address: RedisAddress) => openWorkerStore({ address, shards: 1, onFault: () => {} }),
  orders: (address: RedisAddress) => openOperatorStore({ address, shards: 1, onFault: () => {} }),
  directory: (address: RedisAddress) => openDirectory(address, 1),
}
const at = `127.0.0.1:${port}`
/** Only whether they speak TLS is checked. */
const sentinels = [{ host: '127.0.0.1', port }]
const withTls = [{ host: '127.0.0.1', port: tlsPort }]
const trusted = { tls: { current: { ca: authority.cert } } }

test.each<[string, string, Partial<RedisAddress>, RegExp]>([
  [
    'a wrong password',
    `redis://guest:wrong@${at}`,
    {},
    /password.*REDIS_URL.*_PASSWORD.*WRONGPASS/,
  ],
  ['an unknown user', `redis://nobody:secret@${at}`, {}, /password.*REDIS_URL.*WRONGPASS/],
  ['a user who may do too little', `redis://looker:secret@${at}`, {}, /security\.md.*NOPERM/],
  ['no memory', full.url, {}, /maxmemory.*OOM/],
  ['a database there is not', `redis://${at}/99`, {}, /database.*REDIS_URL/],
  ['a web server', `redis://127.0.0.1:${otherPort}`, {}, /not Redis.*REDIS_URL/],
  ['TLS where there is none', `rediss://127.0.0.1:${otherPort}`, {}, /not speak TLS.*REDIS_URL/],
  ['TLS to a Redis without it', `rediss://guest:secret@${at}`, {}, /not speak TLS.*REDIS_URL/],
  ['no TLS to a Redis with it', `redis://127.0.0.1:${tlsPort}`, {}, /speaks TLS.*REDIS_URL/],
  ['TLS to a Cluster without it', `rediss://${at}`, { cluster: true }, /not speak TLS.*REDIS_URL/],
  ['TLS to sentinels without it', `rediss://${at}`, { sentinels }, /not speak.*SENTINEL_TLS=false/],
  ['no TLS to sentinels with it', `redis://${at}`, { sentinels: withTls }, /SENTINEL_TLS=true/],
  ['an unknown authority', `rediss://127.0.0.1:${tlsPort}`, {}, /REDIS_TLS_CA_FILE/],
  ['no certificate', `rediss://127.0.0.1:${tlsPort}`, trusted, /REDIS_TLS_CERT_FILE/],
  ['a Cluster that is none', `redis://${at}`, { cluster: true }, /not a Cluster/],
])('%s is reported at once by every process and command', async (_name, url, more, fault) => {
  const address = { urls: [url], cluster: false, sentinels: [], sentinelName: 'mymaster', ...more }
  for (const open of Object.values(openers)) {
    const error: unknown = await open(address).catch((error: unknown) => error)
    expect(error).toBeInstanceOf(RedisFault)
    expect(String(error)).toMatch(fault)
    expect(String(error)).not.toMatch(/secret|error:[0-9A-F]{8}|\.c:\d/)
  }
})
