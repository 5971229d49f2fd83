import { type ArchiverStore, capacityOf, namesOf } from '@placeorder/store'
import {
  type Admin,
  buildAdmin,
  type HealthCheck,
  type Logger,
  type Metrics,
  readOutbox,
} from '@placeorder/telemetry'
import type { CopyObserver } from './copy-batch.ts'
import type { ForgetObserver } from './forget-entries.ts'
import type { ShardArchiver } from './shard-archiver.ts'
import type { ShardForgetter } from './shard-forgetter.ts'

/** Counts and logs what happens to orders on their way to the archive, and when Redis forgets. */
export function observe(
  metrics: Metrics,
  log: Pick<Logger, 'error'>,
): CopyObserver & ForgetObserver {
  return {
    copied: (orders, seconds) => {
      metrics.archived.inc(orders)
      metrics.archiveBatchSeconds.observe(seconds)
    },
    forgotten: (orders) => metrics.forgotten.inc(orders),
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
  store: Pick<ArchiverStore, 'outbox' | 'states' | 'forgetting'>
  shards: number
  /** Those at work; empty while the archive is not switched on. */
  archivers: () => ShardArchiver[]
  /** Those that forget; empty while nothing is forgotten. */
  forgetters: () => ShardForgetter[]
  /** How long orders stay in Redis (ms); undefined if they are not forgotten. */
  keepMs: number | undefined
  /** Why there are none. */
  notOn: () => string
}

/** The archiver's admin server, with gauges that are read when somebody looks. */
export function buildAdminServer(deps: AdminServerDeps): Admin {
  const { host, port, metrics, redis, archivers, forgetters, notOn } = deps
  const archive = async () => {
    if (archivers().length === 0) return notOn()
    const reasons = archivers().flatMap(({ stopped }) => stopped?.reason ?? [])
    return [...new Set(reasons)].join('; ') || undefined
  }
  const forgetting = async () => {
    const reasons = forgetters().flatMap(({ stopped }) => stopped ?? [])
    return [...new Set(reasons)].join('; ') || undefined
  }
  const beforeScrape = async () =>
    void (await Promise.all([redis(), readGauges(deps), readForgetting(deps)]))
  return buildAdmin({ host, port, metrics, checks: { redis, archive, forgetting }, beforeScrape })
}

async function readForgetting({ metrics, store, shards, keepMs }: AdminServerDeps): Promise<void> {
  const now = Date.now()
  let [oldest, fill] = [now, 0]
  for (let shard = 0; shard < shards; shard += 1) {
    const { forgottenTo, filters } = await store.forgetting.stateOf(shard)
    const last = filters.at(-1)
    if (last !== undefined) fill = Math.max(fill, last.count / capacityOf(last.bytes))
    if (keepMs === undefined || forgottenTo === undefined) continue
    const [next] = await store.outbox.from(shard, `(${forgottenTo}`, 1)
    if (next !== undefined) oldest = Math.min(oldest, Number(next.id.split('-')[0]) + keepMs)
  }
  metrics.forgetLag.set((now - oldest) / 1000)
  metrics.filterFill.set(fill)
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
