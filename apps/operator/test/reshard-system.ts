import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openArchive } from '@placeorder/archive'
import { openReshardStore } from '@placeorder/store'
import {
  aPlaceOrder,
  type Ingress,
  openSystem,
  type RunningProcess,
  type SignedAnswer,
  startProcess,
  testPostgres,
} from '@placeorder/testkit'
import { afterAll, expect } from 'vitest'
import { reshard } from '../src/archive/reshard/reshard.ts'
import type { StepName } from '../src/archive/reshard/steps.ts'

/** After so many orders of a customer another one is a risk: recent orders must not be lost. */
const RISKY = 3

type Order = { order: ReturnType<typeof aPlaceOrder>; first: Answer }
type Answer = { code: string; paymentRequestId: unknown }
type Options = { until?: StepName; isDryRun?: boolean }

/**
 * Prepares a system whose number of shards can be changed, with an archive. `redis` says where
 * Redis is; it has `shards` shards at first.
 */
export async function openReshardSystem(redis: Record<string, string>, shards: number) {
  const postgres = await testPostgres()
  const where = { ...redis, ARCHIVE_URL: postgres.url }
  const system = await openSystem({ env: { ...where, SHARDS: String(shards) } })
  const { address } = system
  afterAll(async () => {
    await system.close()
    await postgres.close()
  })

  function start(...args: string[]): RunningProcess {
    const entry = 'apps/operator/src/archive/main.ts'
    const env = { ...where, SHARDS: String(shards) }
    return startProcess({ name: 'archive', entry, args, env })
  }
  expect(await start('migrate').exited).toBe(0)
  const policy = join(system.dir, 'policy.json')
  const text = await readFile(policy, 'utf8')
  await writeFile(policy, text.replace(/(customerOrders10m >=) \d+/, `$1 ${RISKY}`))

  /** Every order that was ever placed, with its first answer. */
  const placed: Order[] = []

  /** On a busy machine an answer may come too late, a U: then a caller repeats. */
  const isFinal = ({ code }: SignedAnswer) => !/^(UNKNOWN_EXCEPTION|PAYMENT_IN_PROCESS)$/.test(code)

  async function finalAnswer(call: () => Promise<SignedAnswer>): Promise<SignedAnswer> {
    for (;;) {
      const answer = await call()
      if (isFinal(answer)) return answer
    }
  }

  async function answerOf(ingress: Ingress, order: Order['order']): Promise<Answer> {
    const { code, body } = await finalAnswer(() => ingress.place(order))
    return { code, paymentRequestId: body.paymentRequestId }
  }

  /** Runs ingress and worker: every old order gets its first answer, and new ones are placed. */
  async function serve(shards: number): Promise<void> {
    const env = { SHARDS: String(shards) }
    const [ingress, worker] = await Promise.all([system.startIngress(env), system.startWorker(env)])
    try {
      await Promise.all(
        placed.map(async ({ order, first }) => {
          expect(await answerOf(ingress, order)).toEqual(first)
          const { acquirerId, pspId, paymentId } = order
          const ids = { acquirerId, pspId, paymentId }
          const inquired = await finalAnswer(() => ingress.inquire(ids))
          expect(inquired.body).toMatchObject({ orderResult: { resultCode: first.code } })
        }),
      )
      const orders = Array.from({ length: placed.length === 0 ? RISKY : 1 }, () => aPlaceOrder())
      const answers = await Promise.all(orders.map((order) => answerOf(ingress, order)))
      placed.push(
        ...answers.flatMap((first, i) => (orders[i] ? [{ order: orders[i], first }] : [])),
      )
    } finally {
      for (const one of [ingress, worker]) one.kill('SIGKILL')
      await Promise.all([ingress.exited, worker.exited])
    }
  }

  /** The command, in this process: `until` is the step after which it dies. */
  async function change(to: number | string, { until, isDryRun = false }: Options = {}) {
    const [out, err]: [string[], string[]] = [[], []]
    const store = await openReshardStore({ address, onFault: () => {}, filterBytes: 6_400 })
    const archive = openArchive({ url: postgres.url })
    const onStep = (step: StepName) => {
      if (step === until) throw new Error(`died after ${step}`)
    }
    try {
      const exit = await reshard(
        { store, archive },
        {
          to: String(to),
          isDryRun,
          out: { write: (text) => out.push(text) },
          err: { write: (text) => err.push(text) },
          onStep,
        },
      )
      return { exit, out: out.join(''), err: err.join('') }
    } finally {
      await Promise.all([store.close(), archive.close()])
    }
  }

  /** The first `RISKY` orders were placed, and each one since was a risk. */
  function expectRecentOrdersKept(): void {
    const codes = placed.map(({ first }) => first.code)
    expect(codes.splice(0, RISKY)).toEqual(Array(RISKY).fill('SUCCESS'))
    expect(codes).toEqual(codes.map(() => 'RISK_REJECT'))
  }
  return { system, address, placed, start, serve, change, expectRecentOrdersKept }
}
