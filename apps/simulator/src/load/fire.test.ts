import http from 'node:http'
import net from 'node:net'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { makeKeys } from '../../test/keys.ts'
import { SmallAcquirer } from '../../test/small-acquirer.ts'
import { readSample } from '../cli/sample-order.ts'
import type { Who } from '../client/caller.ts'
import type { Landed } from './connection.ts'
import { type FireOptions, fire, partOf } from './fire.ts'
import { type Mix, plan } from './mix.ts'
import { idsOf, openRecipe, type Recipe } from './recipe.ts'
import { signAhead } from './sign-ahead.ts'
import { Supply } from './supply.ts'

const keys = makeKeys()
const onlyNew: Mix = { new: 1, repeat: 0, inconsistent: 0, inquiry: 0 }
let recipe: Recipe
beforeAll(async () => {
  recipe = openRecipe((await readSample(undefined)).fields, 100)
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

const whoAt = (url: URL): Who => ({
  url,
  inquiryUrl: new URL('inquiryOrder', url),
  clientId: 'SANDBOX_5Y00000000000001',
  key: keys.caller,
  keyVersion: '1',
  serverKey: keys.acquirerPublic,
  tls: { rejectUnauthorized: true },
})

async function fired(url: URL, amount: number, options: Partial<FireOptions>, mix = onlyNew) {
  const supply = new Supply(await signAhead(plan(amount, mix, 0), recipe, whoAt(url)))
  const landed: Landed[] = []
  const startedAt = performance.now()
  const ending = await fire(supply, {
    origin: url.origin,
    tls: { rejectUnauthorized: true },
    connections: 4,
    rate: undefined,
    durationMs: 20_000,
    ...options,
    onLanded: (one) => {
      landed.push(one)
      if (one.one.kind === 'new') supply.orderDone(one.one.order, 'ACCEPTED')
      options.onLanded?.(one)
    },
  })
  return { landed, ending, tookMs: performance.now() - startedAt }
}

const count = (landed: Landed[]) => {
  const counts = { ANSWERED: 0, TIMED_OUT: 0, DROPPED: 0 }
  for (const { kind } of landed) counts[kind] += 1
  return counts
}

describe('a closed loop', () => {
  test('sends every request once, and every answer is counted for its own request', async () => {
    const acquirer = await acquirerUp()
    const { landed, ending } = await fired(
      acquirer.url,
      200,
      {},
      { new: 8, repeat: 2, inconsistent: 0, inquiry: 2 },
    )
    expect(ending).toBe('ALL_SENT')
    expect(acquirer.seen.length).toBe(landed.length)
    for (const one of landed) {
      if (one.kind !== 'ANSWERED') throw new Error('an answer is missing')
      expect(one.answered.body).toContain(idsOf(recipe, one.one.order).paymentId)
    }
  })

  test('ends when its time is over, with the last answers', async () => {
    const acquirer = await acquirerUp()
    acquirer.behave = () => ({ delayMs: 100 })
    const { landed, ending, tookMs } = await fired(acquirer.url, 400, { durationMs: 550 })
    expect(ending).toBe('TIME')
    expect(tookMs).toBeLessThan(2000)
    expect(count(landed)).toEqual({ ANSWERED: acquirer.seen.length, TIMED_OUT: 0, DROPPED: 0 })
  })

  test('can be stopped', async () => {
    const acquirer = await acquirerUp()
    const stop = new AbortController()
    const onLanded = () => stop.abort()
    const { landed, ending } = await fired(acquirer.url, 400, { signal: stop.signal, onLanded })
    expect(ending).toBe('STOPPED')
    expect(landed.length).toBeLessThan(20)
  })
})

describe('a fixed rate', () => {
  test('sends so many a second, spread over the second', async () => {
    const acquirer = await acquirerUp()
    const { landed } = await fired(acquirer.url, 200, {
      connections: 10,
      rate: 100,
      durationMs: 2000,
    })
    expect(count(landed)).toEqual({ ANSWERED: 200, TIMED_OUT: 0, DROPPED: 0 })
    const first = acquirer.seen[0]?.at ?? 0
    const tenths = Map.groupBy(acquirer.seen, ({ at }) => Math.floor((at - first) / 100))
    expect(Math.max(...[...tenths.values()].map(({ length }) => length))).toBeLessThanOrEqual(40)
    expect((acquirer.seen.at(-1)?.at ?? 0) - first).toBeGreaterThan(1500)
  })

  test('a connection sends no more than is due while an answer is late, and does not make up for it', async () => {
    const acquirer = await acquirerUp()
    acquirer.behave = () => (acquirer.seen.length === 1 ? { delayMs: 1500 } : {})
    const { landed, ending } = await fired(acquirer.url, 30, {
      connections: 1,
      rate: 10,
      durationMs: 3000,
    })
    expect(ending).toBe('TIME')
    expect(landed.length).toBeLessThan(30)
    expect(landed[0]?.latencyMs).toBeGreaterThan(1400)
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
  test('an answer cut in the middle is lost, and later answers are still counted for their own requests', async () => {
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
    const { landed } = await fired(new URL(acquirer.url.pathname, await listening(cutting)), 100, {
      connections: 2,
    })
    expect(count(landed)).toEqual({ ANSWERED: 94, TIMED_OUT: 0, DROPPED: 6 })
    for (const one of landed) {
      if (one.kind === 'ANSWERED') {
        expect(one.answered.body).toContain(idsOf(recipe, one.one.order).paymentId)
        expect(one.latencyMs).toBeLessThan(1000)
      }
    }
  })

  test('a server that closes connections, and says so, loses nothing', async () => {
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
    const { landed } = await fired(new URL(acquirer.url.pathname, await listening(closer)), 60, {
      connections: 3,
    })
    expect(count(landed)).toEqual({ ANSWERED: 60, TIMED_OUT: 0, DROPPED: 0 })
    expect(acquirer.orders.size).toBe(60)
  })

  test('an answer that does not come is counted as such after its time, and the connection goes on', async () => {
    const acquirer = await acquirerUp()
    acquirer.behave = () => (acquirer.seen.length === 3 ? { hang: true } : {})
    const { landed } = await fired(acquirer.url, 20, { connections: 2, timeoutMs: 1000 })
    expect(count(landed)).toEqual({ ANSWERED: 19, TIMED_OUT: 1, DROPPED: 0 })
  })

  test('when nobody is there any more it gives up', async () => {
    const nobody = net.createServer()
    const url = await listening(nobody)
    await new Promise((resolve) => nobody.close(resolve))
    closing.length = 0
    const { landed, ending } = await fired(url, 1500, { connections: 4 })
    expect(ending).toBe('GIVEN_UP')
    expect(count(landed).ANSWERED).toBe(0)
    expect(landed.length).toBeLessThan(1100)
  })
})
