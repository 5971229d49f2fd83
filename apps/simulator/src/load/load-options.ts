import { callerOptions } from '../cli/caller-options.ts'
import { type CommandOption, readNumber } from '../cli/options.ts'
import { parseMix } from './mix.ts'
import type { Measures, Objective } from './objectives.ts'
import type { Setup } from './summary.ts'

/** Signed requests are kept in memory until they are sent, at some 3 KiB each. */
const AMOUNT_MAX = 200_000
const CONNECTIONS_MAX = 2_000
/** A run with only an amount ends when all requests are sent, or after so many seconds. */
const DURATION_S_MAX = 3_600
/** How many requests a closed loop signs by default: its rate is not known beforehand. */
const AMOUNT_DEFAULT = 10_000
const DURATION_S_DEFAULT = 10

const objectiveOptions = {
  p50: { type: 'string', value: '<ms>', help: 'objective: latency of 50 %, at most' },
  p95: { type: 'string', value: '<ms>', help: 'objective: latency of 95 %, at most' },
  p99: { type: 'string', value: '<ms>', help: 'objective: latency of 99 %, at most' },
  p999: { type: 'string', value: '<ms>', help: 'objective: latency of 99.9 %, at most' },
  max: { type: 'string', value: '<ms>', help: 'objective: latency of all, at most' },
  'u-share': {
    type: 'string',
    value: '<0..1>',
    help: 'objective: share of U in answers to orders and repeats',
  },
  'f-share': {
    type: 'string',
    value: '<0..1>',
    help: 'objective: share of F in answers to new orders',
  },
  'lost-share': {
    type: 'string',
    value: '<0..1>',
    default: '0',
    help: 'objective: share of requests without an answer',
  },
  'open-share': {
    type: 'string',
    value: '<0..1>',
    default: '0',
    help: 'objective: share of new orders that stay open',
  },
  'rate-min': { type: 'string', value: '<n>', help: 'objective: answers a second, at least' },
} as const satisfies Record<string, CommandOption>

type ObjectiveOption = keyof typeof objectiveOptions

const measureOf: Readonly<Record<ObjectiveOption, keyof Measures>> = {
  p50: 'p50',
  p95: 'p95',
  p99: 'p99',
  p999: 'p99.9',
  max: 'max',
  'u-share': 'uShare',
  'f-share': 'fShare',
  'lost-share': 'lostShare',
  'open-share': 'openShare',
  'rate-min': 'rate',
}

export const loadOptions = {
  ...callerOptions,
  rate: { type: 'string', value: '<n>', help: 'requests a second; else a closed loop' },
  connections: {
    type: 'string',
    value: '<n>',
    default: '20',
    help: 'connections, each with one request in flight',
  },
  duration: {
    type: 'string',
    value: '<s>',
    help: `how long; else until --amount is sent, or ${DURATION_S_DEFAULT} s`,
  },
  amount: {
    type: 'string',
    value: '<n>',
    help: `requests to sign; else --rate times --duration, or ${AMOUNT_DEFAULT}`,
  },
  mix: {
    type: 'string',
    value: '<shares>',
    default: 'new=90,repeat=6,inconsistent=2,inquiry=2',
    help: 'shares of the request kinds',
  },
  customers: {
    type: 'string',
    value: '<n>',
    help: 'different customerIds; else a tenth of the amount',
  },
  'time-factor': {
    type: 'string',
    value: '<x>',
    default: '0.1',
    help: 'multiplies the waits of the inquiry schedule, for orders that stay open',
  },
  ...objectiveOptions,
  report: {
    type: 'string',
    value: '<html>',
    default: '.reports/load.html',
    help: 'path of the report',
  },
  json: { type: 'boolean', help: 'print the summary as JSON' },
} as const satisfies Record<string, CommandOption>

type SetupValues = {
  rate?: string
  connections: string
  duration?: string
  amount?: string
  mix: string
  url?: string
}

/**
 * Reads the setup of the run.
 *
 * @throws UsageError
 */
export function readSetup(values: SetupValues): Setup {
  const number = (option: 'rate' | 'amount' | 'duration', max: number): number | undefined => {
    const text = values[option]
    return text === undefined
      ? undefined
      : readNumber(option, text, { min: 1, max, whole: option !== 'duration' })
  }
  const rate = number('rate', AMOUNT_MAX)
  const givenAmount = number('amount', AMOUNT_MAX)
  const givenS = number('duration', DURATION_S_MAX)
  const durationS = givenS ?? durationFor(rate, givenAmount)
  const amount = givenAmount ?? (rate === undefined ? AMOUNT_DEFAULT : Math.ceil(rate * durationS))
  readNumber('amount', `${amount}`, { max: AMOUNT_MAX })
  const connections = readNumber('connections', values.connections, {
    min: 1,
    max: CONNECTIONS_MAX,
    whole: true,
  })
  return {
    url: values.url ?? '',
    connections: Math.min(connections, rate ?? connections, amount),
    rate: rate ?? null,
    durationS,
    amount,
    mix: parseMix(values.mix),
  }
}

function durationFor(rate: number | undefined, amount: number | undefined): number {
  if (amount === undefined) return DURATION_S_DEFAULT
  return rate === undefined ? DURATION_S_MAX : Math.ceil(amount / rate)
}

/**
 * Reads the objectives. Contradictions and wrong signatures are never permitted.
 *
 * @throws UsageError
 */
export function readObjectives(values: { [O in ObjectiveOption]?: string }): Objective[] {
  const given = Object.keys(measureOf).flatMap((option): Objective[] => {
    const known = isObjectiveOption(option) ? option : undefined
    const text = known && values[known]
    if (known === undefined || text === undefined) return []
    const max = known.endsWith('share') ? 1 : undefined
    const bound = readNumber(known, text, max === undefined ? {} : { max })
    return [
      { measure: measureOf[known], bound, side: known === 'rate-min' ? 'AT_LEAST' : 'AT_MOST' },
    ]
  })
  return [
    ...given,
    { measure: 'contradictions', bound: 0, side: 'AT_MOST' },
    { measure: 'wrongSignatures', bound: 0, side: 'AT_MOST' },
  ]
}

const isObjectiveOption = (text: string): text is ObjectiveOption => Object.hasOwn(measureOf, text)
