import type { HealthCheck, Logger } from '@placeorder/telemetry'
import type { RedisToCompare } from './compare-redis.ts'
import { type Archive, openArchive } from './open-archive.ts'
import { RedisWatch } from './redis-watch.ts'

type RedisAge = RedisToCompare & {
  /** Whether any order is in the archive alone. */
  hasForgotten: () => Promise<boolean>
  /** Calls `lost` each time a connection is lost. */
  onLost: (lost: () => void) => void
}

export type WatchDeps = {
  /** Where the archive is; undefined where it is not known. */
  url: string | undefined
  redisAge: RedisAge
  /** What stops while Redis is older than it was, such as `no order is decided`. */
  stops: string
  log: Pick<Logger, 'error' | 'info'>
  onFault: (error: unknown, what: string) => void
}

/**
 * Keeps a process from using a Redis that is older than it was: orders would be claimed and decided
 * anew that have an outcome.
 */
export type WatchedRedis = {
  /** Throws unless a shard may be used now. */
  demandPassed: (shard: number) => void
  /** Resolves once a shard may be used, or all. Rejects with the reason of `signal`. */
  passed: (signal: AbortSignal, shard?: number) => Promise<void>
  lost: () => void
  check: HealthCheck
  close: () => Promise<void>
}

/**
 * Begins to watch, shard by shard: a lost node of a Cluster holds up its own shards alone. Without
 * an archive, nothing is known of how old Redis was.
 */
export function watchRedis({ url, redisAge, stops, log, onFault }: WatchDeps): WatchedRedis {
  if (url === undefined) return { ...unwatched, check: () => demandUrl(redisAge) }
  const archive = openArchive({ url, connectionsMax: 1, onFault })
  const onChange = (reason: string | undefined) =>
    reason === undefined
      ? log.info('Redis is as new as it was, and used again')
      : log.error({ reason }, `REDIS IS OLDER THAN IT WAS: ${stops}; see the runbook`)
  const onUnknown = (error: unknown) => onFault(error, 'Redis was not compared with the archive')
  const deps = { archive, redis: redisAge, onChange, onUnknown }
  const watches = Array.from({ length: redisAge.shards }, (_, shard) => new RedisWatch(shard, deps))
  const lost = () => {
    for (const watch of watches) watch.lost()
  }
  redisAge.onLost(lost)
  const ending = new AbortController()
  const running = Promise.all(watches.map((watch) => watch.run(ending.signal)))
  return {
    demandPassed: (shard) => watches[shard]?.demandPassed(),
    passed: async (signal, shard) => {
      const asked = shard === undefined ? watches : watches.slice(shard, shard + 1)
      for (const watch of asked) await watch.passed(signal)
    },
    lost,
    check: async () => watches.find(({ reason }) => reason !== undefined)?.reason,
    close: () => end(archive, ending, running),
  }
}

const unwatched = {
  demandPassed: () => {},
  passed: async () => {},
  lost: () => {},
  close: async () => {},
}

async function end(archive: Archive, ending: AbortController, running: Promise<unknown>) {
  ending.abort()
  await Promise.race([running, archive.close()])
}

/** Once orders are forgotten, a Redis that went back must be noticed. */
async function demandUrl(redisAge: RedisAge): Promise<string | undefined> {
  return (await redisAge.hasForgotten())
    ? 'Redis forgets orders, and ARCHIVE_URL is not set: name the PostgreSQL that has them'
    : undefined
}
