import { type Archive, openArchive, RedisWatch } from '@placeorder/archive'
import type { RedisAge } from '@placeorder/store'
import type { HealthCheck, Logger } from '@placeorder/telemetry'

export type WatchDeps = {
  /** Where the archive is; undefined where it is not known. */
  url: string | undefined
  redisAge: RedisAge
  log: Pick<Logger, 'error' | 'info'>
  onFault: (error: unknown, what: string) => void
}

/**
 * Keeps a worker from deciding while Redis is older than it was: it would decide orders anew that
 * have an outcome.
 */
export type WatchedRedis = {
  /** Resolves once orders may be decided. Rejects with the reason of `signal`. */
  passed: (signal: AbortSignal) => Promise<void>
  lost: () => void
  check: HealthCheck
  close: () => Promise<void>
}

/** Begins to watch. Without an archive, nothing is known of how old Redis was. */
export function watchRedis({ url, redisAge, log, onFault }: WatchDeps): WatchedRedis {
  if (url === undefined) return { ...unwatched, check: () => demandUrl(redisAge) }
  const archive = openArchive({ url, connectionsMax: 1, onFault })
  const watch = new RedisWatch({
    archive,
    redis: redisAge,
    onChange: (reason) =>
      reason === undefined
        ? log.info('Redis is as new as it was: orders are decided again')
        : log.error({ reason }, 'REDIS IS OLDER THAN IT WAS: no order is decided; see the runbook'),
    onUnknown: (error) => onFault(error, 'Redis was not compared with the archive'),
  })
  redisAge.onLost(() => watch.lost())
  const ending = new AbortController()
  const running = watch.run(ending.signal)
  return {
    passed: (signal) => watch.passed(signal),
    lost: () => watch.lost(),
    check: async () => watch.reason,
    close: () => end(archive, ending, running),
  }
}

const unwatched = {
  passed: async () => {},
  lost: () => {},
  close: async () => {},
}

async function end(archive: Archive, ending: AbortController, running: Promise<void>) {
  ending.abort()
  await Promise.race([running, archive.close()])
}

/** Once orders are forgotten, a Redis that went back must be noticed. */
async function demandUrl(redisAge: RedisAge): Promise<string | undefined> {
  return (await redisAge.hasForgotten())
    ? 'Redis forgets orders, and ARCHIVE_URL is not set: name the PostgreSQL that has them'
    : undefined
}
