import { createServer } from 'node:http'
import { aPlaceOrder, openSystem } from '@placeorder/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'

/** What an OTLP receiver gets, as far as the tests use it. Times are in ns, as text. */
const Span = z.object({
  name: z.string(),
  traceId: z.string(),
  spanId: z.string(),
  parentSpanId: z.string().optional(),
  startTimeUnixNano: z.coerce.bigint(),
  endTimeUnixNano: z.coerce.bigint(),
  attributes: z.array(z.object({ key: z.string(), value: z.looseObject({}) })),
})
const ExportRequest = z.object({
  resourceSpans: z.array(z.object({ scopeSpans: z.array(z.object({ spans: z.array(Span) })) })),
})

const spans: z.output<typeof Span>[] = []
let received = ''
const receiver = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const text = Buffer.concat(chunks).toString()
    received += text
    const { resourceSpans } = ExportRequest.parse(JSON.parse(text))
    spans.push(
      ...resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)),
    )
    response.setHeader('content-type', 'application/json').end('{}')
  })
})
const port = await new Promise<number>((resolve) => {
  receiver.listen(0, '127.0.0.1', () =>
    resolve(z.object({ port: z.number() }).parse(receiver.address()).port),
  )
})
const system = await openSystem({
  env: { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` },
})
afterAll(async () => {
  await system.close()
  receiver.close()
})

const [placed, refused] = [
  aPlaceOrder(),
  aPlaceOrder({ codeValue: 'unknown-M4RKED', customerId: 'M4RKED' }),
]

beforeAll(async () => {
  const processes = await Promise.all([system.startIngress(), system.startWorker()])
  const [ingress] = processes
  expect((await ingress.place(placed)).code).toBe('SUCCESS')
  expect((await ingress.place(refused)).code).toBe('INVALID_CODE')
  for (const one of processes) one.kill('SIGTERM')
  expect(await Promise.all(processes.map(({ exited }) => exited))).toEqual([0, 0])
})

const spansOf = (paymentId: string) =>
  spans.filter(({ attributes }) => attributes.some(({ value }) => value.stringValue === paymentId))
const spanOf = (paymentId: string, name: string) =>
  spansOf(paymentId).find((span) => span.name === name)

test.each([
  ['placed', placed.paymentId, 'SUCCESS'],
  ['refused', refused.paymentId, 'INVALID_CODE'],
])(
  'an order that is %s has one trace, from HTTP through the queue to its decision',
  (_how, paymentId, code) => {
    const [place, queue, decide] = ['place order', 'queue', 'decide'].map((name) =>
      spanOf(paymentId, name),
    )
    expect(place?.parentSpanId).toBeUndefined()
    expect([queue?.traceId, decide?.traceId]).toEqual([place?.traceId, place?.traceId])
    expect([queue?.parentSpanId, decide?.parentSpanId]).toEqual([place?.spanId, place?.spanId])
    expect(spansOf(paymentId)).toHaveLength(3)
    for (const span of [place, decide]) expect(JSON.stringify(span?.attributes)).toContain(code)
  },
)

test('the queue’s span lies within the call’s, and deciding follows it', () => {
  const [place, queue, decide] = ['place order', 'queue', 'decide'].map((name) =>
    spanOf(placed.paymentId, name),
  )
  const times = [
    place?.startTimeUnixNano,
    queue?.startTimeUnixNano,
    queue?.endTimeUnixNano,
    place?.endTimeUnixNano,
  ]
  expect([...times].sort()).toEqual(times)
  expect(decide?.startTimeUnixNano).toBe(queue?.endTimeUnixNano)
})

test('a trace has nothing personal', () => {
  expect(received).not.toContain('M4RKED')
})
