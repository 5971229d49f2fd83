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
 * What a connection does in an outage. `fail-fast`: commands reject, so that the caller can answer
 * in time. `patient`: commands wait until Redis is back.
 */
export type Patience = 'fail-fast' | 'patient'

/**
 * The longest pause between attempts to connect (ms), so that orders are served within 2 s of Redis
 * being back.
 */
const RECONNECT_MS_MAX = 250

/** How long a server or a sentinel may take to connect, and a sentinel to answer (ms). */
const CONNECT_MS_MAX = 1_000

/**
 * How long a connection that we close waits for the server to close it, too (ms). BullMQ closes a
 * silent connection like this and takes no jobs until then: the 2 s of ioredis would use up all the
 * time within which orders must be served again.
 */
const DISCONNECT_MS_MAX = 250

/**
 * While a slot migrates, a command on several of its keys is sent again every 100 ms, at the cost
 * of two redirections. That suffices until the callers of a fail-fast connection have their
 * answers, and for half a minute on a patient one.
 */
const REDIRECTIONS_MAX = { 'fail-fast': 120, patient: 600 } as const

/**
 * Opens a connection, which reconnects after every loss or missed heartbeat until it is closed.
 * `listens`: it is for channels.
 */
export function connect(
  address: RedisAddress,
  patience: Patience,
  { listens = false }: { listens?: boolean } = {},
): RedisConnection {
  return prepared(open(address, patience, listens), address.heartbeatMs)
}

/**
 * Sets up a connection like all of ours, and those that BullMQ duplicates from it for blocking
 * calls.
 */
function prepared<C extends RedisConnection>(connection: C, heartbeatMs: number | undefined): C {
  const prepare = (server: Redis) => {
    watchHeartbeat(server, heartbeatMs)
    batchWrites(server)
    allowNoInfo(server)
    outliveErrors(server)
  }
  if (connection instanceof Cluster) {
    connection.nodes().forEach(prepare)
    connection.on('+node', prepare)
    endInTime(connection)
    settleConnects(connection)
  } else prepare(connection)
  const duplicate = connection.duplicate.bind(connection) as (...args: unknown[]) => C
  return Object.assign(connection, {
    duplicate: (...args: unknown[]) => {
      const another = prepared(duplicate(...args), heartbeatMs)
      // BullMQ reports errors itself, but removes its listener at times.
      another.on('error', () => {})
      return another
    },
  })
}

/**
 * A Cluster connection that is closed between two attempts to connect has no server whose end would
 * end it, so that ioredis leaves it closing for ever. BullMQ closes the connection that it blocks
 * on when Redis is silent, and takes no job until that has ended.
 */
function endInTime(cluster: Cluster): void {
  const disconnect = cluster.disconnect.bind(cluster)
  const { handleCloseEvent } = cluster as unknown as { handleCloseEvent: () => void }
  cluster.disconnect = (reconnect) => {
    disconnect(reconnect)
    const end = () => void (cluster.status === 'disconnecting' && handleCloseEvent.call(cluster))
    setTimeout(end, DISCONNECT_MS_MAX + CONNECT_MS_MAX).unref()
  }
}

/**
 * A Cluster that is down as it is connected to fails the check of ioredis, which connects again and
 * again but leaves the promise of the first attempt. BullMQ opens the connection that it blocks on
 * anew when that was silent, and takes no job until the promise is settled.
 */
function settleConnects(cluster: Cluster): void {
  const connect = cluster.connect.bind(cluster)
  cluster.connect = async () => {
    const later = Promise.withResolvers<void>()
    const ready = () => later.resolve()
    const ended = () => later.reject(new Error('the connection to the Cluster was closed'))
    cluster.once('ready', ready)
    cluster.once('end', ended)
    try {
      await Promise.race([connect(), later.promise])
    } finally {
      cluster.off('ready', ready)
      cluster.off('end', ended)
    }
  }
}

/**
 * A socket with TLS may report a further error, such as an alert that arrives after its
 * certificate was rejected. ioredis listens for the first one only; the next would end the process.
 */
function outliveErrors(server: Redis): void {
  server.on('error', () => server.stream?.on('error', () => {}))
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
    ...(address.clientName === undefined ? {} : { connectionName: address.clientName }),
    // With RESP2, a subscribed connection cannot send the heartbeat's commands.
    protocol: listens && !isCluster(address) ? 3 : 2,
    connectTimeout: CONNECT_MS_MAX,
    disconnectTimeout: DISCONNECT_MS_MAX,
    keepAlive: 5_000,
    maxRetriesPerRequest: isPatient ? null : 0,
    // An interrupted script may have run. Callers retry themselves; it is not sent again without
    // them. A Cluster client sends it again nevertheless: all our scripts may run twice.
    autoResendUnfulfilledCommands: isPatient,
    // READONLY, the reply of a replica, has changed nothing: the command is sent again, to the
    // master.
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
 * Calls `lost` each time the connection to a server is lost; on a Cluster, to any of its nodes. An
 * attempt to connect that fails is none.
 */
export function onConnectionLost(connection: RedisConnection, lost: () => void): void {
  const watch = (server: Redis) => {
    let isReady = server.status === 'ready'
    server.on('ready', () => {
      isReady = true
    })
    server.on('close', () => {
      if (isReady) lost()
      isReady = false
    })
  }
  if (connection instanceof Cluster) {
    connection.nodes().forEach(watch)
    connection.on('+node', watch)
  } else watch(connection)
}

/**
 * Closes a connection, with QUIT if the server answers. Takes 500 ms at most: QUIT never settles if
 * it is sent between two attempts to connect.
 */
export async function disconnect(connection: RedisConnection): Promise<void> {
  const late = Promise.withResolvers<void>()
  const timer = setTimeout(late.resolve, 500)
  await Promise.race([connection.quit(), late.promise]).catch(() => {}) // It was not connected.
  clearTimeout(timer)
  connection.disconnect()
}
