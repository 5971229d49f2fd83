import { setTimeout as wait } from 'node:timers/promises'
import { freePort } from '@placeorder/local-services/redis'
import { signedCall } from '@placeorder/testkit/signed-call'
import { bodyAt } from '../orders/order-at.ts'
import type { Benchmark } from '../report/metric.ts'
import { roundsOf } from '../statistics.ts'
import { callerOf } from '../test-bed/smoke-test.ts'
import {
  ingressFor,
  placeOrderPath,
  redisFor,
  type TestBed,
  workerFor,
} from '../test-bed/test-bed.ts'

const ANSWER_MS_MAX = 20_000

/** Measures the time from the start of an ingress's process to its first signed SUCCESS. */
export async function cold(testBed: TestBed): Promise<Benchmark> {
  await using stack = new AsyncDisposableStack()
  const redis = await redisFor(testBed, stack, 'ours')
  await workerFor(testBed, stack, redis.address)
  const times: number[] = []
  for (let round = 0; round < Math.max(5, testBed.plan.rounds); round += 1) {
    await using one = new AsyncDisposableStack()
    const port = await freePort()
    const startedAt = performance.now()
    const started = ingressFor(testBed, one, redis.address, { env: { PORT: String(port) } })
    await untilAnswered(testBed, `http://127.0.0.1:${port}`, round)
    times.push((performance.now() - startedAt) / 1_000)
    await started
  }
  testBed.say(`cold starts: ${times.map((seconds) => seconds.toFixed(2)).join(' ')} s`)
  const rounds = roundsOf(times)
  return {
    name: 'cold',
    title: 'Cold start',
    metrics: [
      { what: 'an ingress, until its first answer', unit: 's', rounds, must: { atMost: 1 } },
    ],
  }
}

async function untilAnswered(testBed: TestBed, url: string, at: number): Promise<void> {
  const caller = await callerOf(testBed)
  const order: unknown = JSON.parse(bodyAt(at, 1))
  const deadline = performance.now() + ANSWER_MS_MAX
  for (;;) {
    const answer = await signedCall(`${url}${placeOrderPath}`, order, caller).catch(() => undefined)
    if (answer?.verified && answer.code === 'SUCCESS') return
    if (performance.now() > deadline) throw new Error(`no SUCCESS within ${ANSWER_MS_MAX} ms`)
    await wait(2)
  }
}
