import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** The ways of an order through the house, in their order. `announce` compares two clocks: Redis's and ours. */
export const stageNames = ['verify', 'take_in', 'queue', 'decide', 'conclude', 'announce', 'sign'] as const
export type StageName = (typeof stageNames)[number]

/** Around the wait of 3 s in tenths, and below it as finely as answers usually are. */
const ANSWER_SECONDS = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 2.5, 2.9, 3, 3.1, 3.2, 3.5, 5]
const STAGE_SECONDS = [0.0001, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10]

/** What Prometheus reads of one process. Every name begins with `placeorder_`, but for those every Node process has. */
export type Metrics = ReturnType<typeof openMetrics>

/** Makes a process's metrics, all of them its own: nothing is registered globally. */
export function openMetrics() {
  const registers = [new Registry()]
  collectDefaultMetrics({ register: registers[0] as Registry })
  const counter = <L extends string>(name: string, help: string, labelNames: L[] = []) =>
    new Counter({ name: `placeorder_${name}`, help, labelNames, registers })
  const gauge = <L extends string>(name: string, help: string, labelNames: L[] = []) =>
    new Gauge({ name: `placeorder_${name}`, help, labelNames, registers })
  const histogram = <L extends string>(name: string, help: string, buckets: number[], labelNames: L[] = []) =>
    new Histogram({ name: `placeorder_${name}`, help, buckets, labelNames, registers })
  const stages = histogram('stage_seconds', 'Time in each stage of an order or its group', STAGE_SECONDS, [
    'stage',
  ])
  const bound = Object.fromEntries(stageNames.map((stage) => [stage, stages.labels(stage)]))
  return {
    registry: registers[0] as Registry,
    answers: counter('answers_total', 'Answers given, by result code', ['door', 'code', 'status']),
    answerSeconds: histogram('answer_seconds', 'Time from a request to its signed answer', ANSWER_SECONDS, [
      'door',
    ]),
    /** Bound once: an order passes each stage, and looking labels up costs more than counting. */
    stage: (stage: StageName, seconds: number): void => bound[stage]?.observe(seconds),
    groupOrders: histogram(
      'group_orders',
      'Orders that travel together',
      [1, 2, 4, 8, 16, 32, 64, 128],
      ['kind'],
    ),
    ordersInHand: gauge('orders_in_hand', 'Orders this ingress is to answer'),
    openOrders: gauge('open_orders', 'Orders taken in and not concluded, in all shards'),
    oldestOpenOrder: gauge('oldest_open_order_age_seconds', 'Age of the oldest open order'),
    retries: counter('retries_total', 'Orders that could not be decided and are tried again'),
    mended: counter('mended_orders_total', 'Open orders that no job was answerable for, enqueued again'),
    gaveUp: counter(
      'gave_up_orders_total',
      'Orders concluded PROCESS_FAIL since nothing could decide them in time',
    ),
    checkFailures: counter('check_failures_total', "Failures of the acquirer's own checks", ['check']),
    checkCircuitOpen: gauge('check_circuit_open', 'Whether a check is not called, since it kept failing', [
      'check',
    ]),
    redisRoundTrip: histogram(
      'redis_round_trip_seconds',
      'Time a claim, or the records of a group, take to Redis and back',
      STAGE_SECONDS,
    ),
    redisDurable: gauge('redis_durable', 'Whether Redis keeps what it answered: 1, or 0'),
    signing: gauge('signatures_in_flight', 'Signatures being made or waiting for a thread'),
    signatureFailures: counter('signature_failures_total', 'Requests with a bad signature or key', [
      'client',
    ]),
    limitUsed: gauge('limit_used_ratio', 'How far the most used limit of a kind is used today', ['kind']),
  }
}
