import type { FinalCode } from '@placeorder/protocol'
import { type JudgedOrder, namesOf, type OrderGroup, type OrderId } from '@placeorder/store'
import {
  type Admin,
  type BacklogSource,
  buildAdmin,
  type Configuration,
  type HealthCheck,
  type Logger,
  LogThrottle,
  type Metrics,
  type OutboxSource,
  readBacklog,
  readOutbox,
  type Tracing,
} from '@placeorder/telemetry'
import type { ChecksObserver } from './checks/guard.ts'
import type { LimitUseMetric } from './limit-use-metric.ts'
import type { Observer } from './process-deps.ts'

/**
 * An order of a newer version comes back every 5 s, and there may be many: one of them is logged
 * once in this time (ms).
 */
const UNREADABLE_LOGGED_MS = 10_000

type ObserverDeps = {
  metrics: Metrics
  log: Pick<Logger, 'info' | 'warn' | 'error'>
  tracing: Pick<Tracing, 'startSpan'>
  limitUse: Pick<LimitUseMetric, 'note'>
}

/** Counts, logs and traces what happens to the orders of a group. */
export function observe({ metrics, log, tracing, limitUse }: ObserverDeps): Observer {
  /** Sends the spans of an order in this worker, if its ingress began a trace. */
  const trace = (
    orderId: OrderId,
    { traces, attempt, dueAt, takenAt }: OrderGroup,
    outcome?: FinalCode,
  ) => {
    const parent = traces?.[orderId]
    if (parent === undefined) return
    const attributes = { ...namesOf(orderId), attempt }
    if (attempt === 1)
      tracing.startSpan('queue', { parent, startedAt: dueAt, attributes }).end({ at: takenAt })
    const decide = tracing.startSpan('decide', { parent, startedAt: takenAt, attributes })
    decide.end(outcome === undefined ? { failed: true } : { attributes: { outcome } })
  }
  const unreadable = new LogThrottle(UNREADABLE_LOGGED_MS)
  return {
    taken: ({ orderIds, dueAt, takenAt, attempt }) => {
      metrics.groupOrders.observe({ kind: 'job' }, orderIds.length)
      if (attempt === 1) metrics.stage('queue', Math.max(0, takenAt - dueAt) / 1000)
    },
    redisAnswered: (ms) => metrics.redisRoundTrip.observe(ms / 1000),
    stage: metrics.stage,
    decided: (judged) => noteLimitUses(judged, limitUse),
    concluded: (orderId, outcome, group) => {
      log.info({ ...namesOf(orderId), outcome }, 'concluded')
      trace(orderId, group, outcome)
    },
    undecided: (orderId, err, group) => {
      metrics.retries.inc()
      log.warn({ ...namesOf(orderId), err }, 'the order cannot be decided now and is retried later')
      trace(orderId, group)
    },
    unreadable: (orderId, err) => {
      const more = unreadable.due(err.message)
      if (more === undefined) return
      log.warn({ ...namesOf(orderId), err, more }, 'an order cannot be concluded here')
    },
    abandoned: (orderId, err) => {
      metrics.abandoned.inc()
      log.error({ ...namesOf(orderId), err }, 'abandoned the order: not decided in time')
    },
  }
}

/** Counts and logs how the acquirer's own checks do. */
export function reportChecks({
  metrics,
  log,
}: Pick<ObserverDeps, 'metrics' | 'log'>): ChecksObserver {
  return {
    inForce: (names) => {
      metrics.checkCircuitOpen.reset()
      for (const check of names) metrics.checkCircuitOpen.set({ check }, 0)
    },
    failed: (check) => metrics.checkFailures.inc({ check }),
    circuit: ({ check, clientId, open, openFor }) => {
      metrics.checkCircuitOpen.set({ check }, openFor > 0 ? 1 : 0)
      if (open)
        log.error(
          { check, clientId },
          'a check keeps failing and is not called for a client, whose orders are undecided',
        )
      else log.info({ check, clientId }, 'a check answers again')
    },
  }
}

function noteLimitUses(judged: JudgedOrder[], limitUse: Pick<LimitUseMetric, 'note'>): void {
  for (const { limitUses } of judged) for (const use of limitUses) limitUse.note(use)
}

type AdminServerDeps = {
  host: string
  port: number
  metrics: Metrics
  redis: HealthCheck
  orders: BacklogSource
  /** An archive that nobody copies to is seen here. */
  outbox: OutboxSource
  shards: number
  /** Whether jobs are being taken. */
  taking: () => boolean
  /** Whether Redis is as new as the archive says. */
  archive: HealthCheck
  /** The policy. */
  configuration: Configuration
}

/** The worker's admin server, with gauges that are read on a scrape. */
export function buildAdminServer({
  host,
  port,
  metrics,
  redis,
  orders,
  outbox,
  shards,
  taking,
  archive,
  configuration,
}: AdminServerDeps): Admin {
  const jobs = async () => (taking() ? undefined : 'it takes no jobs')
  const beforeScrape = async () =>
    void (await Promise.all([
      redis(),
      readBacklog(orders, shards, metrics),
      readOutbox(outbox, shards, metrics),
    ]))
  const checks = { redis, jobs, archive }
  return buildAdmin({ host, port, metrics, checks, configuration, beforeScrape })
}
