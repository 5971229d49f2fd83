import { setTimeout as wait } from 'node:timers/promises'
import { z } from 'zod'
import { signAhead } from '../orders/sign-ahead.ts'
import { wireOf } from '../orders/wire.ts'
import { serve } from '../test-bed/serve.ts'
import { autocannon, type Histogram } from './autocannon.ts'
import { Tally } from './load.ts'

// Sends signed orders with autocannon. Asked for: sign, start, mark, stop; `stop` resolves with the first order not sent.

const Sign = z.object({ count: z.number(), target: z.string(), keyFile: z.string() })
const Start = z.object({
  urls: z.array(z.string()).min(1),
  connections: z.number(),
  /** Requests a second of all connections together; without one, a closed loop. */
  rate: z.number().optional(),
  /** The first order to send. */
  from: z.number(),
  /** For how long, and the most orders that can be answered in a second: so many are made ready. */
  seconds: z.number(),
  perSecondMax: z.number(),
  /** Repeat the first so many orders over and over, instead of sending new ones. */
  again: z.number().optional(),
  /** Make the bytes of all requests before the clock starts, too; takes 1.5 KB a request. */
  render: z.boolean().default(true),
})

/** How often autocannon looks whether it is to end, in ms. */
const LOOK_MS = 20
const FOREVER_S = 100_000
const TIMEOUT_S = 10

/** Its histograms know whole ms only; ours are exact. */
const noHistogram: Histogram = { __custom: true, recordValue() {}, destroy() {}, reset() {} }

type Signed = { count: number; target: string; time: string; signatures: Buffer }

const tally = new Tally()
const running: { stop: () => void; ended: Promise<void> }[] = []
let signed: Signed = { count: 0, target: '', time: '', signatures: Buffer.alloc(0) }
let next = 0

/** Hands out the requests one after the other, each once. */
function supply({
  seconds,
  perSecondMax,
  render,
  again,
  ...load
}: z.output<typeof Start>): () => Buffer {
  const { count, target, time, signatures } = signed
  const from = again === undefined ? load.from : 0
  const until = again ?? Math.min(count, from + Math.ceil(seconds * perSecondMax))
  const bytes = (at: number) => wireOf(at, target, time, signatures)
  const rendered = render ? Array.from({ length: until - from }, (_, i) => bytes(from + i)) : []
  next = from
  return () => {
    if (next === until && again !== undefined) next = from
    // More are there than can be answered; past them the run is void.
    if (next === until) tally.failed(`all orders up to ${until} were sent`)
    const at = Math.min(next, until - 1)
    next = at + 1
    return rendered[at - from] ?? bytes(at)
  }
}

function fire(url: string, take: () => Buffer, connections: number, rate?: number): void {
  const ended = Promise.withResolvers<void>()
  const intervalMs = rate === undefined ? undefined : 1_000 / rate
  const { stop } = autocannon(
    {
      url,
      connections,
      ...(rate === undefined ? {} : { connectionRate: rate, ignoreCoordinatedOmission: true }),
      duration: FOREVER_S,
      timeout: TIMEOUT_S,
      sampleInt: LOOK_MS,
      setupClient: (client) => {
        client.getRequestBuffer = take
        client.on('response', (_status, _bytes, ms) => tally.landed(ms, intervalMs))
        client.on('connError', (error) => tally.failed(error.message))
        client.on('timeout', () => tally.failed(`no answer within ${TIMEOUT_S} s`))
      },
      verifyBody: (body) => {
        const good = body.includes('"SUCCESS"')
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
 * A closed loop is one autocannon run. At a fixed rate each connection is a run of its own, begun one after the other
 * within a second: connections of one run send all of a second's requests together when the second begins. Autocannon
 * corrects for coordinated omission with an interval in seconds where its latencies are in ms, so that is done here.
 */
async function start(argument: unknown): Promise<void> {
  const load = Start.parse(argument)
  const { urls, connections, rate } = load
  const take = supply(load)
  for (let at = 0; rate !== undefined && at < connections; at += 1) {
    fire(urls[at % urls.length] ?? '', take, 1, rate / connections)
    await wait(1_000 / connections)
  }
  if (rate === undefined) for (const url of urls) fire(url, take, connections / urls.length)
  tally.mark()
}

serve({
  sign: async (argument) => {
    const { count, target, keyFile } = Sign.parse(argument)
    const time = `${new Date().toISOString().slice(0, 19)}Z`
    signed = { count, target, time, signatures: await signAhead({ count, target, keyFile, time }) }
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
