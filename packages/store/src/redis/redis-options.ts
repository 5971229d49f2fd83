import { isIP } from 'node:net'
import { type ConnectionOptions, checkServerIdentity, createSecureContext } from 'node:tls'
import type { RedisOptions } from 'ioredis'

/**
 * Where Redis is. One url: a server; several, or `cluster`: a Cluster; `sentinels`: whoever is
 * master now.
 */
export type RedisAddress = {
  /** Names our connections in CLIENT LIST; see connected.ts. */
  clientName?: string | undefined
  urls: string[]
  cluster: boolean
  sentinels: { host: string; port: number }[]
  sentinelName: string
  sentinelUsername?: string | undefined
  sentinelPassword?: string | undefined
  /** Whether sentinels use TLS; by default as the master does. */
  sentinelTls?: boolean | undefined
  /** How long a connection may be silent before it is opened again, in ms. */
  heartbeatMs?: number | undefined
  /**
   * For TLS, in PEM: the trusted authority instead of the system's, and our own certificate. Each
   * new connection uses the current ones.
   */
  tls?: { readonly current: RedisTls } | undefined
}

type RedisTls = { ca?: string | undefined; cert?: string | undefined; key?: string | undefined }

/** Host and port of a URL. An IPv6 address is in brackets in a URL, but not for a socket. */
export function hostOf(url: URL): { host: string; port: number } {
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || 6379) }
}

/**
 * How a connection to any server of this address logs in: user, database, and TLS where one URL
 * asks for it.
 */
export function loginOf(address: RedisAddress): RedisOptions {
  const urls = address.urls.map((url) => new URL(url))
  const [url] = urls
  if (url === undefined) return {}
  const database = Number(url.pathname.slice(1) || 0)
  return {
    ...(url.username ? { username: decodeURIComponent(url.username) } : {}),
    ...(url.password ? { password: decodeURIComponent(url.password) } : {}),
    ...(database > 0 ? { db: database } : {}),
    ...(hasTls(address) ? { tls: tlsTo(address, namesOf(address, urls)) } : {}),
  }
}

/** How to ask the sentinels for the master, to which `loginOf` applies. */
export function sentinelOptionsOf(address: RedisAddress): RedisOptions {
  const { sentinels, sentinelName: name, sentinelUsername, sentinelPassword } = address
  return {
    sentinels,
    name,
    ...(sentinelUsername === undefined ? {} : { sentinelUsername }),
    ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
    ...(hasTls(address) ? { enableTLSForSentinelMode: true } : {}),
    ...((address.sentinelTls ?? hasTls(address)) ? { sentinelTLS: tlsTo(address, []) } : {}),
  }
}

/** TLS is used for all URLs or for none: a password is never sent in clear beside it. */
export const hasTls = ({ urls }: RedisAddress): boolean =>
  urls.some((url) => url.startsWith('rediss:'))

/** The host names in REDIS_URL. With Sentinel they are not the servers'. */
const namesOf = ({ sentinels }: RedisAddress, urls: URL[]): string[] =>
  sentinels.length > 0 ? [] : urls.map((url) => hostOf(url).host)

/**
 * A server's certificate must be valid for the host that was connected to, or for one of `names`:
 * nodes of a Cluster are found by addresses, which their certificates need not name.
 */
function tlsTo({ tls }: RedisAddress, names: string[]): ConnectionOptions {
  const [name = ''] = names
  return {
    // A connector copies these options for each connection.
    get secureContext() {
      return createSecureContext(tls?.current)
    },
    ...(name !== '' && isIP(name) === 0 ? { servername: name } : {}),
    checkServerIdentity: (host, certificate) => {
      const faults = [host, ...names].map((one) => checkServerIdentity(one, certificate))
      return faults.includes(undefined) ? undefined : faults[0]
    },
  }
}
