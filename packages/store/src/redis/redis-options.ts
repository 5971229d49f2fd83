import { isIP } from 'node:net'
import { type ConnectionOptions, checkServerIdentity } from 'node:tls'
import type { RedisOptions } from 'ioredis'

/** Where Redis is. One url: a server; several, or `cluster`: a Cluster; `sentinels`: whoever is master now. */
export type RedisAddress = {
  urls: string[]
  cluster: boolean
  sentinels: { host: string; port: number }[]
  sentinelName: string
  sentinelUsername?: string | undefined
  sentinelPassword?: string | undefined
  /** Whether sentinels are spoken to in TLS; if it is not said, as the master is. */
  sentinelTls?: boolean | undefined
  /** How long a connection may be silent until it is opened anew, in ms. */
  heartbeatMs?: number | undefined
  /** In PEM, for TLS: who is trusted instead of the system's authorities, and the certificate we show. */
  tls?: { ca?: string | undefined; cert?: string | undefined; key?: string | undefined } | undefined
}

/** Host and port of a URL. A URL has an IPv6 address in brackets, a socket has it without. */
export function hostOf(url: URL): { host: string; port: number } {
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || 6379) }
}

/** How a connection to any server of this address logs in: user, database, and TLS where one URL asks for it. */
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

/** How the sentinels are asked who is master, and that it is spoken to as `loginOf` says. */
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

/** TLS is spoken everywhere or nowhere: a password never goes in clear beside it. */
export const hasTls = ({ urls }: RedisAddress): boolean =>
  urls.some((url) => url.startsWith('rediss:'))

/** The names that REDIS_URL gives the servers. Of Sentinel's servers it gives none. */
const namesOf = ({ sentinels }: RedisAddress, urls: URL[]): string[] =>
  sentinels.length > 0 ? [] : urls.map((url) => hostOf(url).host)

/**
 * A server's certificate is to be valid for the host that was connected to, or one of `names`: nodes of a Cluster are found by
 * addresses that their certificates need not have.
 */
function tlsTo({ tls = {} }: RedisAddress, names: string[]): ConnectionOptions {
  const [name = ''] = names
  return {
    ...tls,
    ...(name !== '' && isIP(name) === 0 ? { servername: name } : {}),
    checkServerIdentity: (host, certificate) => {
      const faults = [host, ...names].map((one) => checkServerIdentity(one, certificate))
      return faults.includes(undefined) ? undefined : faults[0]
    },
  }
}
