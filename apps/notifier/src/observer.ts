import { type NotifierStore, namesOf, type OrderId } from '@placeorder/store'
import {
  type Admin,
  buildAdmin,
  type Configuration,
  type HealthCheck,
  type Logger,
  LogThrottle,
  type Metrics,
} from '@placeorder/telemetry'
import { PULL } from './pull/pull.ts'
import type { SinkRunner, SinkState } from './sink-runner.ts'

/** Whoever counts and logs what happens to the events of a sink. */
export type SinkObserver = {
  /** `concludedAt`: of each event, in ms by Redis's clock. */
  delivered: (sink: string, concludedAt: number[]) => void
  failed: (sink: string, reason: string) => void
  /** An event is tried no more. */
  dead: (sink: string, orderId: OrderId, reason: string) => void
  circuit: (sink: string, open: boolean, reason: string) => void
  disabled: (sink: string, reason: string) => void
  /** It cannot be opened as the file has it. */
  faulty: (sink: string, reason: string) => void
  /** Events that a sink held for too long are dropped. */
  dropped: (sink: string, events: number) => void
  fault: (error: unknown, what: string) => void
}

/** A sink that keeps failing is logged once in this time (ms). */
const FAILURE_LOGGED_MS = 10_000

export type ObserveDeps = {
  metrics: Metrics
  log: Pick<Logger, 'info' | 'warn' | 'error'>
  onFault: (error: unknown, what: string) => void
}

/** Counts and logs what happens to events. */
export function observe({ metrics, log, onFault }: ObserveDeps): SinkObserver {
  const throttle = new LogThrottle(FAILURE_LOGGED_MS)
  return {
    delivered: (sink, concludedAt) => {
      metrics.eventsDelivered.inc({ sink }, concludedAt.length)
      const now = Date.now()
      for (const at of concludedAt)
        metrics.eventDeliverySeconds.observe({ sink }, Math.max(0, now - at) / 1000)
    },
    failed: (sink, reason) => {
      metrics.eventFailures.inc({ sink })
      const more = throttle.due(`${sink}: ${reason}`)
      if (more !== undefined) log.warn({ sink, reason, more }, 'events were not delivered')
    },
    dead: (sink, orderId, reason) =>
      log.error({ sink, ...namesOf(orderId), reason }, 'an event is tried no more: a dead letter'),
    circuit: (sink, open, reason) => {
      if (open) log.warn({ sink, reason }, 'a sink is down: its events wait in the outbox')
      else log.info({ sink }, 'a sink answers again')
    },
    disabled: (sink, reason) =>
      log.error({ sink, reason }, 'a sink wants no more events, and is disabled: see the runbook'),
    faulty: (sink, reason) =>
      log.error(
        { sink, reason },
        'a sink is faulty: the version before stays in force, or its events wait',
      ),
    dropped: (sink, events) => {
      metrics.eventsDropped.inc({ sink }, events)
      log.error({ sink, events }, 'events were dropped that a sink has not taken: replay them')
    },
    fault: onFault,
  }
}

export type AdminServerDeps = {
  host: string
  port: number
  metrics: Metrics
  redis: HealthCheck
  archive: HealthCheck
  /** Whether events may be pulled here. */
  serves: boolean
  store: Pick<NotifierStore, 'streams' | 'jobsOf'>
  shards: number
  keepMs: number
  /** The file of sinks. */
  sinks: Configuration[number]
  runners: () => readonly SinkRunner[]
}

/**
 * The notifier's admin server, with gauges that are read when somebody looks. A sink that fails is
 * no reason not to be ready: the others deliver.
 */
export function buildAdminServer(deps: AdminServerDeps): Admin {
  const { host, port, metrics, redis, archive } = deps
  const beforeScrape = async () => void (await Promise.all([redis(), readGauges(deps)]))
  const faultsOf = (isFaulty: boolean) => {
    const runners = deps.runners().filter(({ state }) => (state === 'faulty') === isFaulty)
    return runners.flatMap(({ fault }) => fault ?? []).join('; ') || undefined
  }
  const newestSinks = {
    get fault() {
      return faultsOf(false)
    },
  }
  return buildAdmin({
    host,
    port,
    metrics,
    checks: { redis, archive },
    notes: { sinks: async () => faultsOf(true) },
    configuration: [deps.sinks, newestSinks],
    beforeScrape,
  })
}

const allStates: readonly (SinkState | 'paused')[] = [
  'delivering',
  'failing',
  'disabled',
  'faulty',
  'paused',
]

/** Sets the gauges of the sinks that read the outbox, also of those that are not in our file. */
async function readGauges(deps: AdminServerDeps): Promise<void> {
  const { metrics, store, shards, runners, keepMs, serves } = deps
  metrics.eventsKeepSeconds.set(keepMs / 1000)
  const all = Array.from({ length: shards }, (_, shard) => shard)
  const states = new Map(runners().map(({ configured, state }) => [configured.entry.name, state]))
  if (serves) states.set(PULL, 'delivering')
  const names = new Set((await Promise.all(all.map((one) => store.streams.list(one)))).flat())
  const read: Awaited<ReturnType<typeof readSink>>[] = []
  for (const sink of names) read.push(await readSink(store, all, sink))
  // A sink that was removed has no gauges any more.
  const { sinkState, sinkLag, eventsRetried, deadLetters } = metrics
  for (const gauge of [sinkState, sinkLag, eventsRetried, deadLetters]) gauge.reset()
  for (const { sink, lagMs, waiting, dead } of read) {
    metrics.eventsDropped.inc({ sink }, 0) // An increase is seen only from a value on.
    const current = states.get(sink) ?? 'paused'
    for (const state of allStates) sinkState.set({ sink, state }, state === current ? 1 : 0)
    sinkLag.set({ sink }, lagMs / 1000)
    eventsRetried.set({ sink }, waiting)
    deadLetters.set({ sink }, dead)
  }
}

/** How a sink stands in all shards. */
async function readSink(store: AdminServerDeps['store'], shards: number[], sink: string) {
  const now = Date.now()
  const progress = await Promise.all(shards.map((shard) => store.streams.progress(shard, sink)))
  const oldest = Math.min(now, ...progress.map((shard) => shard?.oldest ?? now))
  const counts = await Promise.all(shards.map((shard) => countJobs(store, shard, sink)))
  return {
    sink,
    lagMs: now - oldest,
    waiting: sum(counts.map(({ waiting }) => waiting)),
    dead: sum(counts.map(({ dead }) => dead)),
  }
}

async function countJobs(store: AdminServerDeps['store'], shard: number, sink: string) {
  const jobs = store.jobsOf(shard, sink)
  return jobs.counts().finally(() => jobs.close())
}

const sum = (numbers: number[]): number => numbers.reduce((total, one) => total + one, 0)
