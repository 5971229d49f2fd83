import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** The ways of an order through the house, in their order. `announce` compares two clocks: Redis's and ours. */
export const stageNames = [
  'verify',
  'take_in',
  'queue',
  'decide',
  'conclude',
  'announce',
  'sign',
] as const
export type StageName = (typeof stageNames)[number]

const STAGE_SECONDS = [0.0001, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10]
/** As finely as answers usually are; around the wait it is finer. */
const ANSWER_SECONDS = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5]
/** Around the end of the wait; P4 promises an answer 0.2 s after it. */
const AROUND_WAIT_SECONDS = [-0.5, -0.1, 0, 0.1, 0.2, 0.5]
const GROUP_ORDERS = [1, 2, 4, 8, 16, 32, 64, 128]

/** What Prometheus reads of one process. Every name begins with `placeorder_`, but for those every Node process has. */
export type Metrics = ReturnType<typeof openMetrics>

/**
 * Makes a process's metrics, all of them its own: nothing is registered globally. A process shows only those it moves.
 * `waitMs`: how long an answer may wait, for its buckets.
 */
export function openMetrics(app: 'ingress' | 'worker', waitMs = 3_000) {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const both = makersFor([registry])
  const ingress = makersFor(app === 'ingress' ? [registry] : [])
  const worker = makersFor(app === 'worker' ? [registry] : [])
  const stages = both.histogram(
    'stage_seconds',
    'Time in each stage of an order or its group',
    STAGE_SECONDS,
    ['stage'],
  )
  const bound = Object.fromEntries(stageNames.map((stage) => [stage, stages.labels(stage)]))
  return {
    registry,
    /** Bound once: an order passes each stage, and looking labels up costs more than counting. */
    stage: (stage: StageName, seconds: number): void => bound[stage]?.observe(seconds),
    groupOrders: both.histogram('group_orders', 'Orders that travel together', GROUP_ORDERS, [
      'kind',
    ]),
    redisRoundTrip: both.histogram(
      'redis_round_trip_seconds',
      'Time a claim, or the records of a group, take to Redis and back',
      STAGE_SECONDS,
    ),
    redisDurable: both.gauge('redis_durable', 'Whether Redis keeps what it answered: 1, or 0'),
    redisMemoryUsed: both.gauge(
      'redis_memory_used_ratio',
      'The part of maxmemory that Redis uses; 0 without a maxmemory',
    ),
    openOrders: both.gauge('open_orders', 'Orders taken in and not concluded, in all shards'),
    oldestOpenOrder: both.gauge('oldest_open_order_age_seconds', 'Age of the oldest open order'),
    requeued: both.counter(
      'mended_orders_total',
      'Open orders that no job was answerable for, enqueued again',
    ),

    answers: ingress.counter('answers_total', 'Answers given, by result code', [
      'endpoint',
      'code',
      'status',
    ]),
    answerSeconds: ingress.histogram(
      'answer_seconds',
      'Time from a request to its signed answer',
      answerBuckets(waitMs / 1000),
      ['endpoint'],
    ),
    signatureFailures: ingress.counter(
      'signature_failures_total',
      'Requests with a bad signature or key; known: from where the client has called with a good one',
      ['client', 'source'],
    ),
    verified: ingress.counter('verified_requests_total', 'Requests with a good signature', [
      'client',
    ]),
    ordersInFlight: ingress.gauge('orders_in_hand', 'Orders this ingress is to answer'),
    signing: ingress.gauge('signatures_in_flight', 'Signatures being made or waiting for a thread'),

    retries: worker.counter(
      'retries_total',
      'Orders that could not be decided and are tried again',
    ),
    abandoned: worker.counter(
      'gave_up_orders_total',
      'Orders concluded PROCESS_FAIL since nothing could decide them in time',
    ),
    checkFailures: worker.counter('check_failures_total', "Failures of the acquirer's own checks", [
      'check',
    ]),
    checkCircuitOpen: worker.gauge(
      'check_circuit_open',
      'Whether a check is not called for some client, since it kept failing',
      ['check'],
    ),
    limitUsed: worker.gauge(
      'limit_used_ratio',
      'How far the most used limit of a kind is used today',
      ['kind'],
    ),
  }
}

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

/** In tenths of a second around the wait. Sums of seconds are rounded to what was meant: 3.2, not 3.2000000000000002. */
function answerBuckets(wait: number): number[] {
  const around = AROUND_WAIT_SECONDS.map((seconds) => Math.round((wait + seconds) * 1000) / 1000)
  const all = new Set([...ANSWER_SECONDS, ...around].filter((seconds) => seconds > 0))
  return [...all].sort((a, b) => a - b)
}
