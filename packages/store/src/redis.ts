import { Cluster, type RedisOptions as IoRedisOptions, Redis } from 'ioredis'
import { gatherWrites } from './gather-writes.ts'
import { breakSilence } from './silence.ts'

type RedisOptions = Omit<IoRedisOptions, 'replyMapping'>

/** A connection to one server (found directly or through Sentinel) or to a Cluster. */
export type Connection = Redis | Cluster

/** Where Redis is. One url: a server; several, or `cluster`: a Cluster; `sentinels`: whoever is master now. */
export type RedisAddress = {
  urls: string[]
  cluster: boolean
  sentinels: { host: string; port: number }[]
  sentinelName: string
}

/**
 * How a connection bears an outage. `fail-fast`: a command that cannot be answered now fails, so that the caller can
 * say so within its bound. `patient`: commands wait for Redis to come back, however long.
 */
export type Patience = 'fail-fast' | 'patient'

/** New attempts come at least this often (ms), so that an order is served again within 2 s of Redis being back. */
const RECONNECT_MS_MAX = 250

/**
 * How long an end that is closed here waits for the other to close too (ms). BullMQ closes a connection that has gone silent in
 * this way, and takes no jobs meanwhile; the 2 s of ioredis would be all the time an order has to be served again.
 */
const DISCONNECT_MS_MAX = 250

/** Opens one connection; it connects by itself, and again after every loss or silence, until it is closed. */
export function connect(address: RedisAddress, patience: Patience): Connection {
  return prepared(open(address, patience))
}

/** As all our connections are; those that BullMQ duplicates from it, to wait on, are so too. */
function prepared<C extends Connection>(connection: C): C {
  const prepare = (server: Redis) => {
    breakSilence(server)
    gatherWrites(server)
  }
  if (connection instanceof Cluster) {
    connection.nodes().forEach(prepare)
    connection.on('+node', prepare)
  } else prepare(connection)
  const duplicate = connection.duplicate.bind(connection) as (...args: unknown[]) => C
  return Object.assign(connection, {
    duplicate: (...args: unknown[]) => {
      const another = prepared(duplicate(...args))
      another.on('error', () => {}) // BullMQ tells of those it is to tell of, and stops listening now and then.
      return another
    },
  })
}

function open(address: RedisAddress, patience: Patience): Connection {
  const bearing: RedisOptions = {
    protocol: 2,
    connectTimeout: 1_000,
    disconnectTimeout: DISCONNECT_MS_MAX,
    keepAlive: 5_000,
    maxRetriesPerRequest: patience === 'patient' ? null : 0,
    // A script that was cut off may have run; its caller asks again rather than have it run behind its back. A Cluster sends it
    // again nevertheless: all of ours may run twice.
    autoResendUnfulfilledCommands: patience === 'patient',
    enableOfflineQueue: patience === 'patient',
  }
  const retryStrategy = (times: number) => Math.min(50 * times, RECONNECT_MS_MAX)
  if (address.cluster || address.urls.length > 1)
    return connectCluster(address, bearing, retryStrategy)
  const url = new URL(address.urls[0] ?? 'redis://127.0.0.1:6379')
  const login = loginOf(url)
  if (address.sentinels.length > 0) {
    return new Redis({
      ...bearing,
      ...login,
      retryStrategy,
      sentinels: address.sentinels,
      name: address.sentinelName,
      sentinelRetryStrategy: retryStrategy,
      // A master that became a replica answers READONLY: find the new one and send the command again.
      reconnectOnError: (error: Error) => (error.message.startsWith('READONLY') ? 2 : false),
    })
  }
  return new Redis({
    ...bearing,
    ...login,
    retryStrategy,
    host: url.hostname,
    port: Number(url.port || 6379),
  })
}

function connectCluster(
  address: RedisAddress,
  bearing: RedisOptions,
  retryStrategy: (times: number) => number,
): Cluster {
  const urls = address.urls.map((url) => new URL(url))
  const { enableOfflineQueue: _, ...redisOptions } = { ...bearing, ...loginOf(urls[0]) }
  return new Cluster(
    urls.map((url) => ({ host: url.hostname, port: Number(url.port || 6379) })),
    {
      redisOptions,
      shardedSubscribers: true,
      clusterRetryStrategy: retryStrategy,
      slotsRefreshTimeout: 1_000,
      retryDelayOnFailover: 100,
      retryDelayOnClusterDown: 100,
    },
  )
}

function loginOf(url: URL | undefined): RedisOptions {
  if (url === undefined) return {}
  const database = Number(url.pathname.slice(1) || 0)
  return {
    ...(url.username ? { username: decodeURIComponent(url.username) } : {}),
    ...(url.password ? { password: decodeURIComponent(url.password) } : {}),
    ...(database > 0 ? { db: database } : {}),
    ...(url.protocol === 'rediss:' ? { tls: { servername: url.hostname } } : {}),
  }
}

/**
 * Closes a connection, telling the server if it is there to be told. Takes 500 ms at most: what waits for a server that is gone
 * is never told of the end, when it comes between two attempts to connect.
 */
export async function disconnect(connection: Connection): Promise<void> {
  const late = Promise.withResolvers<void>()
  const giveUp = setTimeout(late.resolve, 500)
  await Promise.race([connection.quit(), late.promise]).catch(() => {}) // It was not connected: there is nobody to tell.
  clearTimeout(giveUp)
  connection.disconnect()
}
