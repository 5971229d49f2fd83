import { Cluster, type ClusterOptions, type RedisOptions as IoRedisOptions, Redis } from 'ioredis'
import { batchWrites } from './batch-writes.ts'
import { watchHeartbeat } from './heartbeat.ts'
import { allowNoInfo } from './ready-check.ts'
import { hostOf, loginOf, type RedisAddress, sentinelOptionsOf } from './redis-options.ts'

export type { RedisAddress } from './redis-options.ts'

type RedisOptions = Omit<IoRedisOptions, 'replyMapping'>

/** A connection to one server (found directly or through Sentinel) or to a Cluster. */
export type RedisConnection = Redis | Cluster

/**
 * How a connection bears an outage. `fail-fast`: a command that cannot be answered now fails, so that the caller can
 * say so within its bound. `patient`: commands wait for Redis to come back, however long.
 */
export type Patience = 'fail-fast' | 'patient'

/** New attempts come at least this often (ms), so that an order is served again within 2 s of Redis being back. */
const RECONNECT_MS_MAX = 250

/** How long a server, or a sentinel, may take to be connected, and a sentinel to answer (ms). */
const CONNECT_MS_MAX = 1_000

/**
 * How long an end that is closed here waits for the other to close too (ms). BullMQ closes a connection that has gone silent in
 * this way, and takes no jobs meanwhile; the 2 s of ioredis would be all the time an order has to be served again.
 */
const DISCONNECT_MS_MAX = 250

/**
 * While a slot moves, what needs several of its keys is sent again each 100 ms, for two redirections each: until those who wait
 * for a fail-fast answer have had theirs, and for half a minute where patience is asked for.
 */
const REDIRECTIONS_MAX = { 'fail-fast': 120, patient: 600 } as const

/**
 * Opens one connection; it connects by itself, and again after every loss or silence, until it is closed. `listens`: it is for
 * channels.
 */
export function connect(
  address: RedisAddress,
  patience: Patience,
  { listens = false }: { listens?: boolean } = {},
): RedisConnection {
  return prepared(open(address, patience, listens), address.heartbeatMs)
}

/** As all our connections are; those that BullMQ duplicates from it, to wait on, are so too. */
function prepared<C extends RedisConnection>(connection: C, heartbeatMs: number | undefined): C {
  const prepare = (server: Redis) => {
    watchHeartbeat(server, heartbeatMs)
    batchWrites(server)
    allowNoInfo(server)
  }
  if (connection instanceof Cluster) {
    connection.nodes().forEach(prepare)
    connection.on('+node', prepare)
  } else prepare(connection)
  const duplicate = connection.duplicate.bind(connection) as (...args: unknown[]) => C
  return Object.assign(connection, {
    duplicate: (...args: unknown[]) => {
      const another = prepared(duplicate(...args), heartbeatMs)
      another.on('error', () => {}) // BullMQ tells of those it is to tell of, and stops listening now and then.
      return another
    },
  })
}

function open(address: RedisAddress, patience: Patience, listens: boolean): RedisConnection {
  const isPatient = patience === 'patient'
  let demoted = false
  const retryStrategy = (times: number) => {
    const waitMs = demoted ? RECONNECT_MS_MAX : Math.min(50 * times, RECONNECT_MS_MAX)
    demoted = false
    return waitMs
  }
  const options: RedisOptions = {
    ...loginOf(address),
    protocol: listens && !isCluster(address) ? 3 : 2, // With 2, a server that is listened to can be asked nothing.
    connectTimeout: CONNECT_MS_MAX,
    disconnectTimeout: DISCONNECT_MS_MAX,
    keepAlive: 5_000,
    maxRetriesPerRequest: isPatient ? null : 0,
    // A script that was cut off may have run; its caller asks again rather than have it run behind its back. A Cluster sends it
    // again nevertheless: all of ours may run twice.
    autoResendUnfulfilledCommands: isPatient,
    // What a replica answers READONLY has changed nothing: it is sent again, to the master, by all who wait for it.
    reconnectOnError: ({ message }: Error) => {
      if (!message.startsWith('READONLY')) return false
      demoted = true
      return isPatient || isCluster(address) ? 2 : 1
    },
  }
  if (isCluster(address))
    return connectCluster(address, options, {
      clusterRetryStrategy: retryStrategy,
      maxRedirections: REDIRECTIONS_MAX[patience],
    })
  const server: RedisOptions =
    address.sentinels.length > 0
      ? {
          ...sentinelOptionsOf(address),
          sentinelRetryStrategy: retryStrategy,
          sentinelCommandTimeout: CONNECT_MS_MAX,
        }
      : hostOf(new URL(address.urls[0] ?? 'redis://127.0.0.1:6379'))
  return new Redis({
    ...options,
    ...server,
    enableOfflineQueue: isPatient,
    retryStrategy,
  })
}

const isCluster = ({ cluster, urls }: RedisAddress): boolean => cluster || urls.length > 1

function connectCluster(
  { urls }: RedisAddress,
  redisOptions: RedisOptions,
  options: Omit<ClusterOptions, 'redisOptions'>,
): Cluster {
  return new Cluster(
    urls.map((url) => hostOf(new URL(url))),
    {
      ...options,
      redisOptions,
      shardedSubscribers: true,
      slotsRefreshTimeout: 1_000,
      retryDelayOnFailover: 100,
      retryDelayOnClusterDown: 100,
      retryDelayOnTryAgain: 100,
    },
  )
}

/**
 * Closes a connection, telling the server if it is there to be told. Takes 500 ms at most: what waits for a server that is gone
 * is never told of the end, when it comes between two attempts to connect.
 */
export async function disconnect(connection: RedisConnection): Promise<void> {
  const late = Promise.withResolvers<void>()
  const giveUp = setTimeout(late.resolve, 500)
  await Promise.race([connection.quit(), late.promise]).catch(() => {}) // It was not connected: there is nobody to tell.
  clearTimeout(giveUp)
  connection.disconnect()
}
