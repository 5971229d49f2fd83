import { setTimeout as wait } from 'node:timers/promises'
import { z } from 'zod'
import { signOrdersAhead } from '../orders/sign-ahead.ts'
import { wireOf } from '../orders/wire.ts'
import { serve } from '../test-bed/serve.ts'
import { autocannon, type Histogram } from './autocannon.ts'
import { LoadTally } from './load.ts'

// Sends signed orders with autocannon. Serves sign, start, mark and stop; `stop` resolves with the
// first order not sent.

const Sign = z.object({ count: z.number(), target: z.string(), keyFile: z.string() })
const Start = z.object({
  urls: z.array(z.string()).min(1),
  connections: z.number(),
  /** Requests a second of all connections together; without one, a closed loop. */
  rate: z.number().optional(),
  /** The first order to send. */
  from: z.number(),
  /** For how long, and the most orders that can be answered in a second: so many are prepared. */
  seconds: z.number(),
  perSecondMax: z.number(),
  /** Repeats so many orders over and over instead of sending new ones. */
  again: z.number().optional(),
  againFrom: z.number().default(0),
  /** The result code that each answer must have. */
  expected: z.string().default('SUCCESS'),
  /** Also renders the bytes of all requests before the clock starts; takes 1.5 KB per request. */
  render: z.boolean().default(true),
})

/** How often autocannon checks whether to stop (ms). */
const CHECK_MS = 20
const FOREVER_S = 100_000
const TIMEOUT_S = 10

/** Autocannon's histograms have whole ms only; our latencies are exact. */
const noHistogram: Histogram = { __custom: true, recordValue() {}, destroy() {}, reset() {} }

type Signed = { count: number; target: string; time: string; signatures: Buffer }

const tally = new LoadTally()
const running: { stop: () => void; ended: Promise<void> }[] = []
let signed: Signed = { count: 0, target: '', time: '', signatures: Buffer.alloc(0) }
let next = 0

/** Returns a function that supplies the requests one after the other, each once. */
function supply({
  seconds,
  perSecondMax,
  render,
  again,
  againFrom,
  ...load
}: z.output<typeof Start>): () => Buffer {
  const { count, target, time, signatures } = signed
  const from = again === undefined ? load.from : againFrom
  const until =
    again === undefined ? Math.min(count, from + Math.ceil(seconds * perSecondMax)) : from + again
  const bytes = (at: number) => wireOf(at, target, time, signatures)
  const rendered = render ? Array.from({ length: until - from }, (_, i) => bytes(from + i)) : []
  next = from
  return () => {
    if (next === until && again !== undefined) next = from
    // More were signed than can be answered; if they run out, the run is void.
    if (next === until) tally.failed(`all ${until} signed orders were sent`)
    const at = Math.min(next, until - 1)
    next = at + 1
    return rendered[at - from] ?? bytes(at)
  }
}

type Calls = { take: () => Buffer; expected: string; connections: number; rate?: number }

function startLoad(url: string, { take, expected, connections, rate }: Calls): void {
  const ended = Promise.withResolvers<void>()
  const intervalMs = rate === undefined ? undefined : 1_000 / rate
  const { stop } = autocannon(
    {
      url,
      connections,
      ...(rate === undefined ? {} : { connectionRate: rate, ignoreCoordinatedOmission: true }),
      duration: FOREVER_S,
      timeout: TIMEOUT_S,
      sampleInt: CHECK_MS,
      setupClient: (client) => {
        client.getRequestBuffer = take
        client.on('response', (_status, _bytes, ms) => tally.answered(ms, intervalMs))
        client.on('connError', (error) => tally.failed(error.message))
        client.on('timeout', () => tally.failed(`no answer within ${TIMEOUT_S} s`))
      },
      verifyBody: (body) => {
        const good = body.includes(`"${expected}"`)
        if (!good) tally.failed(body)
        return good
      },
      histograms: { latencies: noHistogram, requests: noHistogram, throughput: noHistogram },
      skipAggregateResult: true,
    },
    (error) => (error === null ? ended.resolve() : ended.reject(error)),
  )
  running.push({ stop, ended: ended.promise })
}

/**
 * A closed loop is one autocannon run. At a fixed rate each connection is a run of its own, and the
 * runs are started one after the other within a second: the connections of one run would send all
 * of a second's requests at its beginning. Autocannon corrects for coordinated omission with an
 * interval in seconds although its latencies are in ms, so the correction is done here.
 */
async function start(argument: unknown): Promise<void> {
  const load = Start.parse(argument)
  const { urls, connections, rate, expected } = load
  const take = supply(load)
  for (let at = 0; rate !== undefined && at < connections; at += 1) {
    const calls = { take, expected, connections: 1, rate: rate / connections }
    startLoad(urls[at % urls.length] ?? '', calls)
    await wait(1_000 / connections)
  }
  if (rate === undefined)
    for (const url of urls)
      startLoad(url, { take, expected, connections: connections / urls.length })
  tally.mark()
}

serve({
  sign: async (argument) => {
    const { count, target, keyFile } = Sign.parse(argument)
    const time = `${new Date().toISOString().slice(0, 19)}Z`
    const signatures = await signOrdersAhead({ count, target, keyFile, time })
    signed = { count, target, time, signatures }
  },
  start,
  mark: () => tally.mark(),
  stop: async () => {
    for (const { stop } of running) stop()
    await Promise.all(running.map(({ ended }) => ended))
    running.length = 0
    return next
  },
})
