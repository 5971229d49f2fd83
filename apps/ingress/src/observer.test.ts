import { openMetrics } from '@placeorder/telemetry'
import { afterEach, expect, test, vi } from 'vitest'
import { buildAdminServer, observeAnswers } from './observer.ts'
import { openApiDocument } from './openapi/document.ts'
import type { SentAnswer } from './reply.ts'

const paths = { placeOrder: '/acquirer/place', inquireOrder: '/acquirer/inquire' }

afterEach(() => void vi.useRealTimers())

test('an overloading client has one line a second, and every answer is counted', async () => {
  vi.useFakeTimers()
  const metrics = openMetrics('ingress')
  const lines: object[] = []
  const count = observeAnswers(metrics, {
    info: (line: object) => void lines.push(line),
    debug: () => {},
  })
  const refuse = (clientId: string) =>
    count({
      endpoint: 'place',
      code: 'REQUEST_TRAFFIC_EXCEED_LIMIT',
      clientId,
      verified: true,
      address: () => '127.0.0.1',
      paymentId: 'P-1',
      reason: '9 orders are open',
      seconds: 0.001,
    })
  for (let n = 0; n < 5; n += 1) refuse('C-1')
  refuse('C-2')
  vi.advanceTimersByTime(1_000)
  refuse('C-1')
  expect(lines).toMatchObject([
    { clientId: 'C-1', more: 0 },
    { clientId: 'C-2', more: 0 },
    { clientId: 'C-1', more: 4, reason: '9 orders are open' },
  ])
  const { values } = await metrics.answers.get()
  expect(values).toMatchObject([{ labels: { code: 'REQUEST_TRAFFIC_EXCEED_LIMIT' }, value: 7 }])
})

test('unauthenticated refusals share a line per code and second', async () => {
  vi.useFakeTimers()
  const metrics = openMetrics('ingress')
  const lines: object[] = []
  const info = (line: object) => void lines.push(line)
  const count = observeAnswers(metrics, { info, debug: () => {} })
  const answer = (
    endpoint: SentAnswer['endpoint'],
    code: string,
    clientId?: string,
    verified = false,
  ) =>
    count({
      ...{ endpoint, code, clientId, verified, paymentId: undefined, reason: 'no', seconds: 0.001 },
      address: () => '10.0.0.1',
    })
  const kinds = [
    ['none', 'NO_INTERFACE_DEF', undefined],
    ['none', 'METHOD_NOT_SUPPORTED', undefined],
    ['place', 'PARAM_ILLEGAL', undefined],
    ['place', 'INVALID_CLIENT', undefined],
    ['inquire', 'INVALID_SIGNATURE', 'C-1'],
    ['place', 'KEY_NOT_FOUND', 'C-2'],
  ] as const
  const flood = () => {
    for (let n = 0; n < 500; n += 1)
      for (const [endpoint, code, clientId] of kinds) answer(endpoint, code, clientId)
  }
  flood()
  for (let n = 0; n < 3; n += 1) answer('place', 'INVALID_SIGNATURE', 'C-3')
  for (let n = 0; n < 3; n += 1) answer('place', 'PARAM_ILLEGAL', 'C-1', true)
  vi.advanceTimersByTime(1_000)
  flood()
  const first = kinds.map(([endpoint, code, clientId]) => ({ endpoint, code, clientId, more: 0 }))
  const own = { endpoint: 'place', code: 'PARAM_ILLEGAL', clientId: 'C-1', reason: 'no' }
  const more = (code: string) => (code === 'INVALID_SIGNATURE' ? 502 : 499)
  const second = first.map((line) => ({ ...line, more: more(line.code) }))
  expect(lines).toMatchObject([...first, own, own, own, ...second])
  const { values } = await metrics.answers.get()
  expect(values.reduce((sum, { value }) => sum + value, 0)).toBe(6_006)
})

test('the admin port serves the API document with the paths of this ingress', async () => {
  const { app, close } = buildAdminServer({
    host: '127.0.0.1',
    port: 0,
    metrics: openMetrics('ingress'),
    redis: async () => undefined,
    filters: async () => undefined,
    archive: async () => undefined,
    archiveAway: async () => undefined,
    signatures: { size: 0 },
    admission: { inFlight: 0 },
    orders: { backlog: async () => ({ open: 0, oldest: undefined }) },
    shards: 1,
    configuration: [],
    openApi: openApiDocument(paths),
  })
  const answered = await app.inject('/openapi.json')
  expect(answered.headers['content-type']).toContain('application/json')
  expect(Object.keys(answered.json().paths)).toEqual(Object.values(paths))
  await close()
})
