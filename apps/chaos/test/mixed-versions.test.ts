import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { freePort } from '@placeorder/local-services/redis'
import { connect, disconnect } from '@placeorder/store'
import { orderPrefix } from '@placeorder/store/keys'
import { openSystem, type System } from '@placeorder/testkit'
import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { openChaosArchive } from '../src/archive/chaos-archive.ts'
import { Callers } from '../src/callers.ts'
import { watchCpuStarvation } from '../src/cpu-starvation.ts'
import { openChaosEvents } from '../src/events/chaos-events.ts'
import { generateLoad } from '../src/generate-load.ts'
import { checkHistory } from '../src/history/check-history.ts'
import { History } from '../src/history/history.ts'
import { readStoredState } from '../src/history/stored-state.ts'
import { ManagedProcess } from '../src/managed-process.ts'
import { Random } from '../src/random.ts'
import { checkAgain, isFinalAnswer, untilRecovered } from '../src/recovery.ts'
import { SHARDS, WAIT_MS } from '../src/test-bed.ts'
import { chaosPolicy, directoryFor } from '../src/workload.ts'
import { openNextVersion, packedBy } from './next-version.ts'

const SERVED_MS_MAX = 60_000

test('while two versions serve side by side, every promise is kept', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'placeorder-mixed-versions-'))
  const next = await openNextVersion()
  const env = { WAIT_MS: String(WAIT_MS), SHARDS: String(SHARDS) }
  const system = await openSystem({ env })
  const upgraded = await openSystem({
    env: { ...env, ...filesOf(system) },
    redisUrl: system.redisUrl,
    root: next.root,
  })
  const history = new History()
  const failures: string[] = []
  const onFailure = (what: string) => void failures.push(what)
  const archive = await openChaosArchive(dir, system, { random: new Random(10), onFailure })
  const [old, young]: [ManagedProcess[], ManagedProcess[]] = [[], []]
  const running = (kind: ManagedProcess['kind']) =>
    [...old, ...young].filter((one) => one.kind === kind && one.isInRotation)
  const origins = () => running('notifier').map(({ origin }) => origin)
  const events = await openChaosEvents(dir, { system, origins, hasArchive: true })
  const watching = new AbortController()
  try {
    for (const [version, of, processes] of [
      ['old', system, old],
      ['young', upgraded, young],
    ] as const)
      for (const kind of ['ingress', 'worker', 'archiver', 'notifier'] as const)
        processes.push(
          new ManagedProcess(kind, `${kind}-${version}`, await freePort(), {
            system: of,
            history,
            // What is compared in the end is in Redis: nothing is forgotten.
            env: { ...archive.env, ...events.env, FORGET: 'false' },
            log: join(dir, `${kind}-${version}.log`),
            onProcessFailure: onFailure,
          }),
        )
    await writeFile(join(system.dir, 'policy.json'), JSON.stringify(chaosPolicy))
    const { merchants, codes } = directoryFor(10_000)
    await system.put(merchants, codes)
    await Promise.all([...old, ...young].map((one) => one.start()))
    await events.begin()
    const watched = watchCpuStarvation(history, () => [...old, ...young], watching.signal)
    const callers = new Callers(system, history)
    const ingresses = () => running('ingress')
    const context = { callers, ingresses, random: new Random(11), history }
    const ending = new AbortController()
    const coming = generateLoad(
      { seed: 12, ordersPerSecond: 30, signal: ending.signal, onProgress: () => {} },
      context,
    )
    await untilServed(history, 300)
    const newer = await countPackedBy(system, packedBy.next)
    // The upgrade ends: only the next version goes on.
    for (const one of old) await one.end()
    await untilServed(history, 50)
    ending.abort()
    const sent = await coming
    const recovery = await untilRecovered(system, ingresses(), callers, new Random(13))
    await checkAgain(sent, history, { ...context, signal: AbortSignal.timeout(SERVED_MS_MAX) })
    await events.untilDelivered()
    await archive.untilArchived()
    await Promise.all(young.map((one) => one.end()))
    watching.abort()
    await watched
    await repack(system)
    const stored = {
      ...(await readStoredState(system, JSON.stringify(chaosPolicy), await archive.compare())),
      sinks: events.histories(),
    }
    const violations = checkHistory(history, stored, { waitMs: WAIT_MS, ...recovery })
    expect(violations.map(({ rule, orderId, what }) => `${rule}: ${orderId} ${what}`)).toEqual([])
    expect(failures).toEqual([])
    // Orders of both versions were in one Redis meanwhile.
    expect(newer).toBeGreaterThan(50)
  } finally {
    watching.abort()
    await upgraded.close()
    await system.close()
    await events.close()
    await archive.close()
    await next.close()
    await rm(dir, { recursive: true, force: true })
  }
}, 300_000)

const filesOf = ({ dir }: System) => ({
  CLIENTS_FILE: join(dir, 'clients.json'),
  POLICY_FILE: join(dir, 'policy.json'),
  SIGNING_KEY_FILE: join(dir, 'acquirer.pem'),
})

/** Waits until so many more orders have a final answer. */
async function untilServed(history: History, more: number): Promise<void> {
  const deadline = History.now() + SERVED_MS_MAX
  const served = () => history.calls.filter(({ ending }) => isFinalAnswer(ending)).length
  const enough = served() + more
  while (served() < enough) {
    if (History.now() > deadline) throw new Error(`${served()} of ${enough} orders are served`)
    await wait(20)
  }
}

/** Calls `each` with the key and the packed request of every order. */
async function eachRequest(
  { address }: System,
  each: (connection: Redis, key: string, request: string) => Promise<void>,
): Promise<void> {
  const connection = connect(address, 'patient')
  if (!(connection instanceof Redis)) throw new Error('it is one Redis')
  for (let shard = 0; shard < SHARDS; shard += 1)
    for (const key of await connection.keys(`${orderPrefix(shard)}*`))
      await each(connection, key, (await connection.hget(key, 'request')) ?? '')
  await disconnect(connection)
}

async function countPackedBy(system: System, version: string): Promise<number> {
  let count = 0
  await eachRequest(system, async (_connection, _key, request) => {
    if (request.startsWith(version)) count += 1
  })
  return count
}

/** Packs all requests as this version does, so that it can check what is stored. */
const repack = (system: System): Promise<void> =>
  eachRequest(system, async (connection, key, request) => {
    await connection.hset(key, 'request', packedBy.thisOne + request.slice(1))
  })
