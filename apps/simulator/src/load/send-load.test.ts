import http from 'node:http'
import net from 'node:net'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { makeKeys } from '../../test/keys.ts'
import { SmallAcquirer } from '../../test/small-acquirer.ts'
import { readSample } from '../cli/sample-order.ts'
import type { CallerConfig } from '../client/place-order-client.ts'
import type { RequestResult } from './load-connection.ts'
import { type Mix, planRequests } from './mix.ts'
import { type OrderTemplate, openTemplate, orderIds } from './order-template.ts'
import { partOf, type SendLoadOptions, sendLoad } from './send-load.ts'
import { signPlanned } from './sign-planned.ts'
import { Supply } from './supply.ts'

const keys = makeKeys()
const onlyNew: Mix = { new: 1, repeat: 0, inconsistent: 0, inquiry: 0 }
let template: OrderTemplate
beforeAll(async () => {
  template = openTemplate((await readSample(undefined)).fields, 100)
})

const closing: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function listening(server: net.Server | http.Server): Promise<URL> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => void server.close())
  const address = server.address()
  if (address === null || typeof address === 'string')
    throw new Error('the server does not listen on a port')
  return new URL(`http://127.0.0.1:${address.port}/placeOrder`)
}

async function acquirerUp(): Promise<SmallAcquirer> {
  const acquirer = await new SmallAcquirer(keys).listen()
  closing.push(() => acquirer[Symbol.asyncDispose]())
  return acquirer
}

const configAt = (url: URL): CallerConfig => ({
  url,
  inquiryUrl: new URL('inquiryOrder', url),
  clientId: 'SANDBOX_5Y00000000000001',
  key: keys.caller,
  keyVersion: '1',
  serverKey: keys.acquirerPublic,
  tls: { rejectUnauthorized: true },
})

async function sendAll(url: URL, amount: number, options: Partial<SendLoadOptions>, mix = onlyNew) {
  const supply = new Supply(
    await signPlanned(planRequests(amount, mix, 0), template, configAt(url)),
  )
  const results: RequestResult[] = []
  const startedAt = performance.now()
  const ending = await sendLoad(supply, {
    origin: url.origin,
    tls: { rejectUnauthorized: true },
    connections: 4,
    rate: undefined,
    durationMs: 20_000,
    ...options,
    onResult: (one) => {
      results.push(one)
      if (one.request.kind === 'new') supply.orderDone(one.request.order, 'ACCEPTED')
      options.onResult?.(one)
    },
  })
  return { results, ending, tookMs: performance.now() - startedAt }
}

const count = (results: RequestResult[]) => {
  const counts = { ANSWERED: 0, TIMED_OUT: 0, DROPPED: 0 }
  for (const { kind } of results) counts[kind] += 1
  return counts
}

describe('a closed loop', () => {
  test('every request is sent once and every answer counted for its own request', async () => {
    const acquirer = await acquirerUp()
    const { results, ending } = await sendAll(
      acquirer.url,
      200,
      {},
      { new: 8, repeat: 2, inconsistent: 0, inquiry: 2 },
    )
    expect(ending).toBe('ALL_SENT')
    expect(acquirer.received.length).toBe(results.length)
    for (const one of results) {
      if (one.kind !== 'ANSWERED') throw new Error('an answer is missing')
      expect(one.answer.body).toContain(orderIds(template, one.request.order).paymentId)
    }
  })

  test('a run ends on time, after the last answers', async () => {
    const acquirer = await acquirerUp()
    acquirer.override = () => ({ delayMs: 100 })
    const { results, ending, tookMs } = await sendAll(acquirer.url, 400, { durationMs: 550 })
    expect(ending).toBe('TIME')
    expect(tookMs).toBeLessThan(2000)
    expect(count(results)).toEqual({ ANSWERED: acquirer.received.length, TIMED_OUT: 0, DROPPED: 0 })
  })

  test('a run can be stopped', async () => {
    const acquirer = await acquirerUp()
    const stop = new AbortController()
    const onResult = () => stop.abort()
    const { results, ending } = await sendAll(acquirer.url, 400, { signal: stop.signal, onResult })
    expect(ending).toBe('STOPPED')
    expect(results.length).toBeLessThan(20)
  })
})

describe('a fixed rate', () => {
  test('requests are spread evenly over a second', { retry: 2 }, async () => {
    const acquirer = await acquirerUp()
    const { results } = await sendAll(acquirer.url, 200, {
      connections: 10,
      rate: 100,
      durationMs: 20_000,
    })
    expect(count(results)).toEqual({ ANSWERED: 200, TIMED_OUT: 0, DROPPED: 0 })
    const first = acquirer.received[0]?.at ?? 0
    const tenths = Map.groupBy(acquirer.received, ({ at }) => Math.floor((at - first) / 100))
    expect(Math.max(...[...tenths.values()].map(({ length }) => length))).toBeLessThanOrEqual(40)
    expect((acquirer.received.at(-1)?.at ?? 0) - first).toBeGreaterThan(1500)
  })

  test('requests that were due while an answer was late are not sent later', async () => {
    const acquirer = await acquirerUp()
    acquirer.override = () => (acquirer.received.length === 1 ? { delayMs: 1500 } : {})
    const { results, ending } = await sendAll(acquirer.url, 30, {
      connections: 1,
      rate: 10,
      durationMs: 3000,
    })
    expect(ending).toBe('TIME')
    expect(results.length).toBeLessThan(30)
    expect(results[0]?.latencyMs).toBeGreaterThan(1400)
  })

  test.each([
    [10, 4],
    [7, 7],
    [1000, 33],
  ])('the parts of %d over %d connections add up', (rate, connections) => {
    const parts = Array.from({ length: connections }, (_, at) => partOf(rate, connections, at))
    expect(parts.reduce((sum, part) => sum + part, 0)).toBe(rate)
    expect(Math.max(...parts) - Math.min(...parts)).toBeLessThanOrEqual(1)
  })
})

describe('on a bad network', () => {
  test('an answer cut in the middle is lost, and later ones are counted correctly', async () => {
    const acquirer = await acquirerUp()
    let connections = 0
    const cutting = net.createServer((near) => {
      const far = net.connect(acquirer.port, '127.0.0.1')
      const cutAfter = connections++ < 6 ? 2 : Number.POSITIVE_INFINITY
      let answers = 0
      near.on('error', () => far.destroy())
      far.on('error', () => near.destroy())
      near.pipe(far)
      far.on('data', (chunk) => {
        answers += 1
        if (answers < cutAfter) return void near.write(chunk)
        near.end(chunk.subarray(0, chunk.length - 30))
        far.destroy()
      })
      near.on('close', () => far.destroy())
    })
    const { results } = await sendAll(
      new URL(acquirer.url.pathname, await listening(cutting)),
      100,
      {
        connections: 2,
      },
    )
    expect(count(results)).toEqual({ ANSWERED: 94, TIMED_OUT: 0, DROPPED: 6 })
    for (const one of results) {
      if (one.kind === 'ANSWERED') {
        expect(one.answer.body).toContain(orderIds(template, one.request.order).paymentId)
        expect(one.latencyMs).toBeLessThan(1000)
      }
    }
  })

  test('no request is lost when the server closes connections and says so', async () => {
    const acquirer = await acquirerUp()
    const closer = http.createServer(async (request, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk)
      const { host: _host, connection: _connection, ...headers } = request.headers
      const answer = await fetch(new URL(request.url ?? '/', acquirer.url), {
        method: 'POST',
        headers: Object.entries(headers).map(([name, value]): [string, string] => [
          name,
          String(value),
        ]),
        body: Buffer.concat(chunks),
      })
      response
        .writeHead(200, { connection: 'close', 'content-type': 'application/json' })
        .end(await answer.text())
    })
    const { results } = await sendAll(new URL(acquirer.url.pathname, await listening(closer)), 60, {
      connections: 3,
    })
    expect(count(results)).toEqual({ ANSWERED: 60, TIMED_OUT: 0, DROPPED: 0 })
    expect(acquirer.orders.size).toBe(60)
  })

  test('an answer that never comes is a time-out, and the connection goes on', async () => {
    const acquirer = await acquirerUp()
    acquirer.override = () => (acquirer.received.length === 3 ? { hang: true } : {})
    const { results } = await sendAll(acquirer.url, 20, { connections: 2, timeoutMs: 1000 })
    expect(count(results)).toEqual({ ANSWERED: 19, TIMED_OUT: 1, DROPPED: 0 })
  })

  test('a run ends when nobody answers any more', async () => {
    const nobody = net.createServer()
    const url = await listening(nobody)
    await new Promise((resolve) => nobody.close(resolve))
    closing.length = 0
    const { results, ending } = await sendAll(url, 1500, { connections: 4 })
    expect(ending).toBe('UNREACHABLE')
    expect(count(results).ANSWERED).toBe(0)
    expect(results.length).toBeLessThan(1100)
  })
})
