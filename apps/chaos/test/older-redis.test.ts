import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PlaceOrderRequest } from '@placeorder/protocol'
import { startProcess } from '@placeorder/testkit'
import { expect, test, vi } from 'vitest'
import { Callers } from '../src/callers.ts'
import { watchCpuStarvation } from '../src/cpu-starvation.ts'
import { generateLoad } from '../src/generate-load.ts'
import { checkHistory } from '../src/history/check-history.ts'
import { History } from '../src/history/history.ts'
import { readStoredState } from '../src/history/stored-state.ts'
import { Random } from '../src/random.ts'
import { checkAgain, isFinalAnswer, untilRecovered } from '../src/recovery.ts'
import { archivers, ingressesAndWorkers, openChaosTestBed, WAIT_MS } from '../src/test-bed.ts'
import { chaosPolicy, directoryFor } from '../src/workload.ts'

const SEED = 20_261_201

/** What orders had used of their limits is in no archive: docs/archive.md says that it is lost. */
const ofLimits = ['countersExact', 'limitsHold', 'refusedForAReason']

test('a Redis from an older file is noticed before any final answer, and restored', {
  timeout: 600_000,
}, async () => {
  const dir = await mkdtemp(join(tmpdir(), 'placeorder-older-redis-'))
  const history = new History()
  const random = new Random(SEED)
  const failures: string[] = []
  const testBed = await openChaosTestBed(dir, {
    history,
    random: random.fork(1),
    onProcessFailure: (what) => void failures.push(what),
    names: [...ingressesAndWorkers, ...archivers],
  })
  const { system, redis, archive, processes } = testBed
  const watching = new AbortController()
  try {
    await writeFile(join(system.dir, 'policy.json'), JSON.stringify(chaosPolicy))
    const { merchants, codes } = directoryFor(10_000)
    await system.put(merchants, codes)
    await Promise.all(processes.map((one) => one.start()))
    const watched = watchCpuStarvation(history, () => processes, watching.signal)
    const callers = new Callers(system, history)
    const ingresses = processes.filter(({ kind }) => kind === 'ingress')
    const sent: PlaceOrderRequest[] = []
    /** Sends orders until `over` resolves. */
    const load = async (phase: number, over: () => Promise<unknown>) => {
      const ending = new AbortController()
      const [more] = await Promise.all([
        generateLoad(
          { seed: SEED + phase, ordersPerSecond: 40, signal: ending.signal, onProgress: () => {} },
          { callers, ingresses: () => ingresses, random: random.fork(10 + phase), history },
        ),
        over().finally(() => ending.abort()),
      ])
      sent.push(...more)
    }
    const finals = () => history.calls.filter(({ ending }) => isFinalAnswer(ending)).length
    const served = async (more: number) => {
      const enough = finals() + more
      await vi.waitFor(() => expect(finals()).toBeGreaterThan(enough), { timeout: 180_000 })
    }
    const [files, older] = [join(dir, 'redis', 'appendonlydir'), join(dir, 'older')]
    const replace = async (from: string, to: string) => {
      await redis.kill()
      await rm(to, { recursive: true, force: true })
      await cp(from, to, { recursive: true })
    }

    await load(1, () => served(100))
    await replace(files, older)
    await redis.start()
    await load(2, () => served(150))
    await untilRecovered(system, ingresses, callers, random.fork(2))
    await archive?.untilArchived()

    await replace(older, files)
    const wentBackAt = History.now()
    await load(3, async () => {
      await redis.start()
      for (const { admin } of [...ingresses, ...processes.filter(({ kind }) => kind === 'worker')])
        await vi.waitFor(
          async () =>
            expect(await (await fetch(`${admin}/readyz`)).text()).toContain('is archived, and'),
          { timeout: 60_000 },
        )
      for (const order of sent.slice(0, 200)) {
        const ingress = random.pick(ingresses)
        await (random.chance(0.5) ? callers.place(order, ingress) : callers.inquire(order, ingress))
      }
      const early = history.calls.filter(
        ({ sentAt, ending }) => sentAt > wentBackAt && isFinalAnswer(ending),
      )
      expect(early).toEqual([])
      const restore = startProcess({
        name: 'restore',
        entry: 'apps/operator/src/archive/main.ts',
        args: ['restore'],
        env: { ...testBed.topology.env, ...archive?.env, SHARDS: String(system.shards) },
      })
      expect(await restore.exited, restore.lines.join('\n')).toBe(0)
      await served(150)
    })
    const recovery = await untilRecovered(system, ingresses, callers, random.fork(3))
    const notForgotten = await archive?.untilForgotten()
    await checkAgain(sent, history, {
      callers,
      ingresses: () => ingresses,
      random: random.fork(4),
      signal: AbortSignal.timeout(60_000),
    })
    await archive?.untilArchived()
    await Promise.all(processes.map((one) => one.end()))
    watching.abort()
    await watched
    const stored = await readStoredState(
      system,
      JSON.stringify(chaosPolicy),
      await archive?.compare(),
    )
    const violations = checkHistory(
      history,
      { ...stored, notForgotten },
      { waitMs: WAIT_MS, ...recovery },
    )
    expect(violations.filter(({ rule }) => !ofLimits.includes(rule))).toEqual([])
    expect(failures.filter((line) => !line.includes('REDIS IS OLDER'))).toEqual([])
  } finally {
    watching.abort()
    await testBed.close()
    await rm(dir, { recursive: true, force: true })
  }
})
