import { type ArchiverStore, namesOf } from '@placeorder/store'
import {
  type Admin,
  buildAdmin,
  type HealthCheck,
  type Logger,
  type Metrics,
  readOutbox,
} from '@placeorder/telemetry'
import type { CopyObserver } from './copy-batch.ts'
import type { ShardArchiver } from './shard-archiver.ts'

/** Counts and logs what happens to orders on their way to the archive. */
export function observe(metrics: Metrics, log: Pick<Logger, 'error'>): CopyObserver {
  return {
    copied: (orders, seconds) => {
      metrics.archived.inc(orders)
      metrics.archiveBatchSeconds.observe(seconds)
    },
    contradicted: (orderId) => {
      metrics.contradictions.inc()
      log.error(namesOf(orderId), 'Redis and the archive have an order otherwise')
    },
    setAside: (orderId, reason) =>
      log.error({ ...namesOf(orderId), reason }, 'an order cannot be archived, and stays in Redis'),
  }
}

export type AdminServerDeps = {
  host: string
  port: number
  metrics: Metrics
  redis: HealthCheck
  store: Pick<ArchiverStore, 'outbox' | 'states'>
  shards: number
  /** Those at work; empty while the archive is not switched on. */
  archivers: () => ShardArchiver[]
  /** Why there are none. */
  notOn: () => string
}

/** The archiver's admin server, with gauges that are read when somebody looks. */
export function buildAdminServer(deps: AdminServerDeps): Admin {
  const { host, port, metrics, redis, archivers, notOn } = deps
  const archive = async () => {
    if (archivers().length === 0) return notOn()
    const reasons = archivers().flatMap(({ stopped }) => stopped?.reason ?? [])
    return [...new Set(reasons)].join('; ') || undefined
  }
  const beforeScrape = async () => void (await Promise.all([redis(), readGauges(deps)]))
  return buildAdmin({ host, port, metrics, checks: { redis, archive }, beforeScrape })
}

async function readGauges({ metrics, store, shards, archivers }: AdminServerDeps): Promise<void> {
  for (const kind of ['behind', 'went-back'] as const)
    metrics.archiveStopped.set(
      { reason: kind },
      archivers().filter(({ stopped }) => stopped?.kind === kind).length,
    )
  const all = Array.from({ length: shards }, (_, shard) => shard)
  await readOutbox(store.outbox, shards, metrics)
  const setAside = await Promise.all(all.map((shard) => store.states.countSetAside(shard)))
  metrics.unarchivable.set(setAside.reduce((sum, orders) => sum + orders, 0))
}
