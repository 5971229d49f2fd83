import type { ResultCode } from '@placeorder/protocol'
import { type PanelContent, quantileOf, rateOf } from './panel.ts'

const placed = 'placeorder_answers_total{endpoint="place"}'
const placeSeconds = 'placeorder_answer_seconds_bucket{endpoint="place"}'
const answeredU = 'placeorder_answers_total{endpoint="place",status="U"}'
const uShare =
  `sum(rate(${answeredU}[$__rate_interval])) / ` + `sum(rate(${placed}[$__rate_interval]))`

/** The codes of requests that are refused before anything is stored, in the order of the checks. */
const refusals: ResultCode[] = [
  'NO_INTERFACE_DEF',
  'METHOD_NOT_SUPPORTED',
  'MEDIA_TYPE_NOT_ACCEPTABLE',
  'PARAM_ILLEGAL',
  'INVALID_CLIENT',
  'KEY_NOT_FOUND',
  'INVALID_SIGNATURE',
  'ACCESS_DENIED',
  'REQUEST_TRAFFIC_EXCEED_LIMIT',
]

/** The default WAIT_MS plus the 200 ms that P4 allows (s). */
const ANSWER_S_MAX = 3.2
/** No order should be open for longer than this (s): the alert OldestOpenOrder. */
const OPEN_S_MAX = 30

/** The current state, in one row. */
export const nowPanels: PanelContent[] = [
  {
    title: 'Orders answered',
    description: 'Answers of placeOrder a second.',
    unit: 'reqps',
    queries: [[`sum(rate(${placed}[$__rate_interval]))`, 'answers']],
  },
  {
    title: 'Answered U',
    description:
      'Share of placeOrder answers that are not final, including those refused for traffic.',
    unit: 'percentunit',
    queries: [[uShare, 'U']],
    badFrom: 0.01,
  },
  {
    title: 'Answer time, p99',
    description: 'At most WAIT_MS + 200 ms: 3.2 s by default.',
    unit: 's',
    queries: [[quantileOf(0.99, placeSeconds), 'p99']],
    badFrom: ANSWER_S_MAX,
  },
  {
    title: 'Open orders',
    description: 'Accepted and not concluded.',
    unit: 'short',
    queries: [['max(placeorder_open_orders{job="placeorder-worker"})', 'open']],
    badFrom: 1_000,
  },
  {
    title: 'Oldest open order',
    description: 'Its age. Above 30 s an alert pages.',
    unit: 's',
    queries: [['max(placeorder_oldest_open_order_age_seconds)', 'age']],
    badFrom: OPEN_S_MAX,
  },
  {
    title: 'Redis is durable',
    description:
      '1: it answers, syncs each write to disk and evicts nothing. Every answer depends on it.',
    unit: 'short',
    queries: [['min(placeorder_redis_durable)', 'durable']],
    badBelow: 1,
  },
]

/** The answers that callers get. */
export const trafficPanels: PanelContent[] = [
  {
    title: 'Answers by code',
    description: 'Answers of placeOrder a second, by result code.',
    unit: 'reqps',
    queries: [[rateOf(placed, 'code'), '{{code}}']],
    stacked: true,
  },
  {
    title: 'Time to an answer, against its bound',
    description: 'From a request to its signed answer. The bound is WAIT_MS + 200 ms.',
    unit: 's',
    queries: [
      [quantileOf(0.5, placeSeconds), 'p50'],
      [quantileOf(0.95, placeSeconds), 'p95'],
      [quantileOf(0.99, placeSeconds), 'p99'],
      [`vector(${ANSWER_S_MAX})`, 'bound'],
    ],
  },
  {
    title: 'Requests refused by code',
    description:
      'Requests a second that were refused before an order was stored: invalid, or overload.',
    unit: 'reqps',
    queries: [
      [rateOf(`placeorder_answers_total{code=~"${refusals.join('|')}"}`, 'code'), '{{code}}'],
    ],
    stacked: true,
  },
  {
    title: 'Bad signatures and keys, by client',
    description: 'A second. If all are of one client: its key was changed on one side only.',
    unit: 'reqps',
    queries: [[rateOf('placeorder_signature_failures_total', 'client'), '{{client}}']],
  },
]

/** What happens between request and outcome. */
export const orderPanels: PanelContent[] = [
  {
    title: 'Orders open and in flight',
    description: 'Open: accepted, not concluded. In flight: an ingress has to answer them.',
    unit: 'short',
    queries: [
      ['max(placeorder_open_orders{job="placeorder-worker"})', 'open'],
      ['sum(placeorder_orders_in_flight)', 'in flight'],
    ],
  },
  {
    title: 'Oldest open order',
    description: 'Its age. It grows while a check fails, and while no worker runs.',
    unit: 's',
    queries: [['max(placeorder_oldest_open_order_age_seconds)', 'age']],
  },
  {
    title: 'Time in each stage, p95',
    description: 'Where answers spend their time.',
    unit: 's',
    queries: [[quantileOf(0.95, 'placeorder_stage_seconds_bucket', ', stage'), '{{stage}}']],
  },
  {
    title: 'Orders in a group',
    description: 'How many orders are processed together, on average: up to 128 under load.',
    unit: 'short',
    queries: [
      [
        `${rateOf('placeorder_group_orders_sum', 'kind')} / ` +
          rateOf('placeorder_group_orders_count', 'kind'),
        '{{kind}}',
      ],
    ],
  },
  {
    title: 'Retried, requeued, abandoned',
    description: 'Orders a minute. Abandoned: concluded PROCESS_FAIL, not decided in time.',
    unit: 'short',
    queries: [
      ['60 * sum(rate(placeorder_retries_total[$__rate_interval]))', 'retried'],
      ['60 * sum(rate(placeorder_requeued_orders_total[$__rate_interval]))', 'requeued'],
      ['60 * sum(rate(placeorder_abandoned_orders_total[$__rate_interval]))', 'abandoned'],
    ],
  },
  {
    title: 'Signatures in flight',
    description: 'Being made, or waiting for a thread. If many, add ingresses.',
    unit: 'short',
    queries: [['sum(placeorder_signatures_in_flight)', 'signatures']],
  },
]

/** What decides orders. */
export const decisionPanels: PanelContent[] = [
  {
    title: 'Limits near exhaustion',
    description: 'How much of the most used limit of a kind is used today.',
    unit: 'percentunit',
    queries: [['max by (kind) (placeorder_limit_used_ratio)', '{{kind}}']],
    badFrom: 0.9,
  },
  {
    title: "The acquirer's own checks",
    description: 'Failures a second; 1 where a check is not called because it kept failing.',
    unit: 'short',
    queries: [
      [rateOf('placeorder_check_failures_total', 'check'), '{{check}} failures'],
      ['max by (check) (placeorder_check_circuit_open)', '{{check}} not called'],
    ],
  },
]

/** Processes and Redis. */
export const machinePanels: PanelContent[] = [
  {
    title: 'Redis durability',
    description: 'As each process reports it: 1 or 0.',
    unit: 'short',
    queries: [['min by (job) (placeorder_redis_durable)', '{{job}}']],
    badBelow: 1,
  },
  {
    title: 'Redis memory',
    description:
      'Used share of maxmemory, and what it comes to in 4 h at the pace of the last hour. ' +
      'Past 95 % new orders are refused. Without a maxmemory it is 0.',
    unit: 'percentunit',
    queries: [
      ['max(placeorder_redis_memory_used_ratio)', 'used'],
      [
        'predict_linear(max(placeorder_redis_memory_used_ratio > 0)[1h:1m], 4 * 3600)',
        'in 4 h, at this pace',
      ],
    ],
    badFrom: 0.85,
  },
  {
    title: 'Redis round trip',
    description: 'Of a claim, or of the records of a group, including the disk sync.',
    unit: 's',
    queries: [
      [quantileOf(0.5, 'placeorder_redis_round_trip_seconds_bucket'), 'p50'],
      [quantileOf(0.99, 'placeorder_redis_round_trip_seconds_bucket'), 'p99'],
    ],
  },
  {
    title: 'Event loop delay, p99',
    description:
      'An ingress whose mean exceeds 250 ms refuses orders. ' +
      'It includes the 100 ms between two samples.',
    unit: 's',
    queries: [['max by (job) (nodejs_eventloop_lag_p99_seconds)', '{{job}}']],
  },
  {
    title: 'Cores used',
    description: 'By all processes of a kind.',
    unit: 'short',
    queries: [[rateOf('process_cpu_seconds_total{job=~"placeorder-.+"}', 'job'), '{{job}}']],
  },
  {
    title: 'Processes up',
    description: 'As Prometheus sees them.',
    unit: 'short',
    queries: [['sum by (job) (up{job=~"placeorder-.+"})', '{{job}}']],
  },
  {
    title: 'Memory',
    description: 'Resident, of the largest process of a kind.',
    unit: 'bytes',
    queries: [['max by (job) (process_resident_memory_bytes{job=~"placeorder-.+"})', '{{job}}']],
  },
]
