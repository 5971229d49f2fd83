import type { ResultCode } from '@placeorder/protocol'
import type { Shown } from './panel.ts'

const rateOf = (selector: string, by: string) =>
  `sum by (${by}) (rate(${selector}[$__rate_interval]))`
const quantileOf = (q: number, bucket: string, by = '') =>
  `histogram_quantile(${q}, sum by (le${by}) (rate(${bucket}[$__rate_interval])))`

const placed = 'placeorder_answers_total{endpoint="place"}'
const placeSeconds = 'placeorder_answer_seconds_bucket{endpoint="place"}'
const uShare = `sum(rate(placeorder_answers_total{endpoint="place",status="U"}[$__rate_interval])) / sum(rate(${placed}[$__rate_interval]))`

/** What a request is answered before anything is stored, in the order of the checks. */
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

/** WAIT_MS as it comes, and the 200 ms that P4 grants beyond it, in s. */
const ANSWER_S_MAX = 3.2
/** Older than this (s) no order should be open: the alert OldestOpenOrder. */
const OPEN_S_MAX = 30

/** How it stands now, in a line. */
export const now: Shown[] = [
  {
    title: 'Orders answered',
    description: 'Answers of placeOrder a second.',
    unit: 'reqps',
    queries: [[`sum(rate(${placed}[$__rate_interval]))`, 'answers']],
  },
  {
    title: 'Answered U',
    description:
      'Share of placeOrder answers that are not final, those refused for too much traffic included.',
    unit: 'percentunit',
    queries: [[uShare, 'U']],
    badFrom: 0.01,
  },
  {
    title: 'Answer time, p99',
    description: 'Bound by WAIT_MS and 200 ms: 3.2 s.',
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
    description: 'Its age. Above 30 s somebody is woken.',
    unit: 's',
    queries: [['max(placeorder_oldest_open_order_age_seconds)', 'age']],
    badFrom: OPEN_S_MAX,
  },
  {
    title: 'Redis is durable',
    description:
      '1: it answers, syncs each write to disk and evicts nothing. Everything rests on it.',
    unit: 'short',
    queries: [['min(placeorder_redis_durable)', 'durable']],
    badBelow: 1,
  },
]

/** What callers get. */
export const traffic: Shown[] = [
  {
    title: 'Answers by code',
    description: 'Answers of placeOrder a second, by result code.',
    unit: 'reqps',
    queries: [[rateOf(placed, 'code'), '{{code}}']],
    stacked: true,
  },
  {
    title: 'Time to an answer, against its bound',
    description: 'From a request to its signed answer. The bound is WAIT_MS and 200 ms.',
    unit: 's',
    queries: [
      [quantileOf(0.5, placeSeconds), 'p50'],
      [quantileOf(0.95, placeSeconds), 'p95'],
      [quantileOf(0.99, placeSeconds), 'p99'],
      [`vector(${ANSWER_S_MAX})`, 'bound'],
    ],
  },
  {
    title: 'Refused at the endpoint',
    description:
      'Requests that became no order, a second: what is wrong with them, or too much traffic.',
    unit: 'reqps',
    queries: [
      [rateOf(`placeorder_answers_total{code=~"${refusals.join('|')}"}`, 'code'), '{{code}}'],
    ],
    stacked: true,
  },
  {
    title: 'Bad signatures and keys, by client',
    description:
      'A second. All of one client from one moment on: its key was changed on one side only.',
    unit: 'reqps',
    queries: [[rateOf('placeorder_signature_failures_total', 'client'), '{{client}}']],
  },
]

/** What lies between request and outcome. */
export const orders: Shown[] = [
  {
    title: 'Orders open and in flight',
    description: 'Open: accepted, not concluded. In flight: an ingress is to answer them.',
    unit: 'short',
    queries: [
      ['max(placeorder_open_orders{job="placeorder-worker"})', 'open'],
      ['sum(placeorder_orders_in_flight)', 'in flight'],
    ],
  },
  {
    title: 'Oldest open order',
    description: 'Its age. It grows while a check cannot answer, and while no worker works.',
    unit: 's',
    queries: [['max(placeorder_oldest_open_order_age_seconds)', 'age']],
  },
  {
    title: 'Time in each stage, p95',
    description: 'Which stage an answer waits for.',
    unit: 's',
    queries: [[quantileOf(0.95, 'placeorder_stage_seconds_bucket', ', stage'), '{{stage}}']],
  },
  {
    title: 'Orders in a group',
    description:
      'How many travel together, on average: few when it is quiet, up to 128 under load.',
    unit: 'short',
    queries: [
      [
        `${rateOf('placeorder_group_orders_sum', 'kind')} / ${rateOf('placeorder_group_orders_count', 'kind')}`,
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
    description: 'Being made, or waiting for a thread. Many: more ingresses are needed.',
    unit: 'short',
    queries: [['sum(placeorder_signatures_in_flight)', 'signatures']],
  },
]

/** What orders are decided by. */
export const decisions: Shown[] = [
  {
    title: 'Limits near exhaustion',
    description: 'How far the most used limit of a kind is used today.',
    unit: 'percentunit',
    queries: [['max by (kind) (placeorder_limit_used_ratio)', '{{kind}}']],
    badFrom: 0.9,
  },
  {
    title: "The acquirer's own checks",
    description: 'Failures a second; 1 where a check is not called since it kept failing.',
    unit: 'short',
    queries: [
      [rateOf('placeorder_check_failures_total', 'check'), '{{check}} failures'],
      ['max by (check) (placeorder_check_circuit_open)', '{{check}} not called'],
    ],
  },
]

/** What it runs on. */
export const machines: Shown[] = [
  {
    title: 'Redis durability',
    description: 'As each process finds it: 1, or 0.',
    unit: 'short',
    queries: [['min by (job) (placeorder_redis_durable)', '{{job}}']],
    badBelow: 1,
  },
  {
    title: 'Redis round trip',
    description: 'Of a claim, or of the records of a group. The disk sync is in it.',
    unit: 's',
    queries: [
      [quantileOf(0.5, 'placeorder_redis_round_trip_seconds_bucket'), 'p50'],
      [quantileOf(0.99, 'placeorder_redis_round_trip_seconds_bucket'), 'p99'],
    ],
  },
  {
    title: 'Event loop delay, p99',
    description: 'An ingress whose mean is past 250 ms refuses orders.',
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
    description: 'As Prometheus finds them.',
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
