import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** The stages of an order, in their order. `announce` compares two clocks: Redis's and ours. */
export const stageNames = [
  'verify',
  'accept',
  'queue',
  'decide',
  'conclude',
  'announce',
  'sign',
] as const
export type StageName = (typeof stageNames)[number]

const STAGE_SECONDS = [0.0001, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10]
/** The buckets where most answers fall; those around the wait are added. */
const ANSWER_SECONDS = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5]
/** Relative to the end of the wait; P4 promises an answer 0.2 s after it. */
const AROUND_WAIT_SECONDS = [-0.5, -0.1, 0, 0.1, 0.2, 0.5]
/** Events of an outage of a sink come late by minutes or hours. */
const DELIVERY_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 600, 3_600, 86_400]
/**
 * How often the event loop's lag is sampled (ms); the lag that is shown includes this time. Each
 * sample wakes an idle process: every 10 ms, as by default, took a quarter of its CPU.
 */
const LOOP_SAMPLE_MS = 100
const GROUP_ORDERS = [1, 2, 4, 8, 16, 32, 64, 128]

/**
 * The metrics of one process. Their names begin with `placeorder_`, except those that every Node
 * process has.
 */
export type Metrics = ReturnType<typeof openMetrics>

/**
 * Makes the metrics of one process in a registry of its own; nothing is registered globally. Only
 * the metrics that `app` can change are exposed. `waitMs` sets the buckets of the answer time: how
 * long an ingress waits for an outcome.
 */
export function openMetrics(app: 'ingress' | 'worker' | 'archiver' | 'notifier', waitMs = 3_000) {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LOOP_SAMPLE_MS })
  const all = makersFor([registry])
  const both = makersFor(app === 'archiver' || app === 'notifier' ? [] : [registry])
  const ingress = makersFor(app === 'ingress' ? [registry] : [])
  const worker = makersFor(app === 'worker' ? [registry] : [])
  const behind = makersFor(app === 'ingress' ? [] : [registry])
  const archiver = makersFor(app === 'archiver' ? [registry] : [])
  const notifier = makersFor(app === 'notifier' ? [registry] : [])
  const stages = both.histogram(
    'stage_seconds',
    'Seconds that an order or its group spent in a stage',
    STAGE_SECONDS,
    ['stage'],
  )
  const bound = Object.fromEntries(stageNames.map((stage) => [stage, stages.labels(stage)]))
  return {
    registry,
    /** The labels are bound once: looking them up costs more than counting. */
    stage: (stage: StageName, seconds: number): void => bound[stage]?.observe(seconds),
    groupOrders: both.histogram('group_orders', 'Orders in a group', GROUP_ORDERS, ['kind']),
    redisRoundTrip: both.histogram(
      'redis_round_trip_seconds',
      'Seconds for a round trip to Redis: a claim, or reading the orders of a group',
      STAGE_SECONDS,
    ),
    redisDurable: all.gauge(
      'redis_durable',
      '1 while Redis answers and keeps what it has confirmed, else 0',
    ),
    redisMemoryUsed: all.gauge(
      'redis_memory_used_ratio',
      'Share of maxmemory that Redis uses; 0 without a maxmemory',
    ),
    configurationFaults: all.gauge(
      'configuration_faults',
      'Parts of the configuration whose newest version is faulty: the one before stays in force',
    ),
    openOrders: both.gauge('open_orders', 'Orders accepted and not concluded, in all shards'),
    oldestOpenOrder: both.gauge(
      'oldest_open_order_age_seconds',
      'Seconds since the oldest open order was claimed; 0 without one',
    ),
    requeued: both.counter(
      'requeued_orders_total',
      'Open orders that had no job and were enqueued again',
    ),
    archiveLag: behind.gauge(
      'archive_lag_seconds',
      'Age of the oldest outcome that is not in the archive; 0 without an archive',
    ),
    outboxEntries: behind.gauge('outbox_entries', 'Entries kept in the outboxes of all shards'),
    ...ingressMetrics(ingress, waitMs),
    ...workerMetrics(worker),
    ...archiverMetrics(archiver),
    ...notifierMetrics(notifier),
  }
}

const ingressMetrics = (ingress: Makers, waitMs: number) => ({
  answers: ingress.counter('answers_total', 'Answers sent, by result code', [
    'endpoint',
    'code',
    'status',
  ]),
  answerSeconds: ingress.histogram(
    'answer_seconds',
    'Seconds from a request to its signed answer',
    answerBuckets(waitMs / 1000),
    ['endpoint'],
  ),
  signatureFailures: ingress.counter(
    'signature_failures_total',
    'Requests with a bad signature or key; source known: an address the client has called from',
    ['client', 'source'],
  ),
  verified: ingress.counter('verified_requests_total', 'Requests with a good signature', [
    'client',
  ]),
  archiveLookUps: ingress.counter(
    'archive_look_ups_total',
    'Orders that Redis may have forgotten, by what the archive says: found, absent (a false ' +
      'maybe), not_believed or no_answer',
    ['result'],
  ),
  archiveLookUpSeconds: ingress.histogram(
    'archive_look_up_seconds',
    'Seconds until the archive had answered for a group of orders',
    STAGE_SECONDS,
  ),
  ordersInFlight: ingress.gauge('orders_in_flight', 'Orders that this ingress has yet to answer'),
  signing: ingress.gauge('signatures_in_flight', 'Signatures being made or waiting for a thread'),
})

const workerMetrics = (worker: Makers) => ({
  retries: worker.counter('retries_total', 'Orders that could not be decided and are retried'),
  abandoned: worker.counter(
    'abandoned_orders_total',
    'Orders concluded PROCESS_FAIL because they could not be decided in time',
  ),
  checkFailures: worker.counter('check_failures_total', "Failures of the acquirer's own checks", [
    'check',
  ]),
  checkCircuitOpen: worker.gauge(
    'check_circuit_open',
    '1 while a check is not called for some client because it kept failing, else 0',
    ['check'],
  ),
  limitUsed: worker.gauge('limit_used_ratio', 'Used share of the most used limit of a kind today', [
    'kind',
  ]),
})

const archiverMetrics = (archiver: Makers) => ({
  archived: archiver.counter('archived_orders_total', 'Orders copied to the archive'),
  archiveBatchSeconds: archiver.histogram(
    'archive_batch_seconds',
    'Seconds that one batch took to be archived',
    STAGE_SECONDS,
  ),
  contradictions: archiver.counter(
    'archive_contradictions_total',
    'Orders that Redis and the archive have otherwise',
  ),
  unarchivable: archiver.gauge(
    'unarchivable_orders',
    'Orders set aside since they cannot be archived, in all shards',
  ),
  forgotten: archiver.counter('forgotten_orders_total', 'Archived orders that Redis has forgotten'),
  forgetLag: archiver.gauge(
    'forget_lag_seconds',
    'Seconds for which the oldest order to be forgotten is due; 0 without one',
  ),
  filterFill: archiver.gauge(
    'filter_fill_ratio',
    'Share of the newest filter of forgotten orders that is used, of the fullest shard',
  ),
  archiveStopped: archiver.gauge(
    'archive_stopped_shards',
    'Shards that are not copied since Redis or the archive is older than it was',
    ['reason'],
  ),
})

const notifierMetrics = (notifier: Makers) => ({
  eventsDelivered: notifier.counter('events_delivered_total', 'Events delivered', ['sink']),
  eventFailures: notifier.counter(
    'event_failures_total',
    'Sendings of one or several events that failed',
    ['sink'],
  ),
  eventsDropped: notifier.counter(
    'events_dropped_total',
    'Events that a sink has not taken in time, and will not get unless they are replayed',
    ['sink'],
  ),
  eventDeliverySeconds: notifier.histogram(
    'event_delivery_seconds',
    'Seconds from the conclusion of an order to the delivery of its event; compares two clocks',
    DELIVERY_SECONDS,
    ['sink'],
  ),
  sinkLag: notifier.gauge('sink_lag_seconds', 'Age of the oldest event in the outbox for a sink', [
    'sink',
  ]),
  sinkState: notifier.gauge(
    'sink_state',
    '1 for the state of a sink: delivering, failing, disabled, faulty, or paused (not in file)',
    ['sink', 'state'],
  ),
  eventsRetried: notifier.gauge('events_retried', 'Events that failed and are tried again', [
    'sink',
  ]),
  deadLetters: notifier.gauge('dead_letters', 'Events that are tried no more', ['sink']),
  eventsKeepSeconds: notifier.gauge(
    'events_keep_seconds',
    'Events that a sink has not taken are dropped at this age',
  ),
})

type Makers = ReturnType<typeof makersFor>

function makersFor(registers: Registry[]) {
  const named = (name: string) => `placeorder_${name}`
  return {
    counter: <L extends string>(name: string, help: string, labelNames: L[] = []) =>
      new Counter({ name: named(name), help, labelNames, registers }),
    gauge: <L extends string>(name: string, help: string, labelNames: L[] = []) =>
      new Gauge({ name: named(name), help, labelNames, registers }),
    histogram: <L extends string>(
      name: string,
      help: string,
      buckets: number[],
      labelNames: L[] = [],
    ) => new Histogram({ name: named(name), help, buckets, labelNames, registers }),
  }
}

/** Buckets in seconds. Sums are rounded to ms: 3.2, not 3.2000000000000002. */
function answerBuckets(wait: number): number[] {
  const around = AROUND_WAIT_SECONDS.map((seconds) => Math.round((wait + seconds) * 1000) / 1000)
  const all = new Set([...ANSWER_SECONDS, ...around].filter((seconds) => seconds > 0))
  return [...all].sort((a, b) => a - b)
}
