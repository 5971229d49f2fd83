import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { type OperatorStore, openOperatorStore } from '@placeorder/store'
import type { System } from '@placeorder/testkit'
import type { FaultKind, Faults } from '../faults.ts'
import type { SinkHistory } from '../history/check-events.ts'
import { onNode } from '../topologies/node-faults.ts'
import { RedisNode } from '../topologies/redis-node.ts'
import { PullReader } from './pull-reader.ts'
import { type Behaviour, Receiver } from './receiver.ts'
import type { SentEvents } from './sent-events.ts'
import { StreamReader } from './stream-reader.ts'

/** The sinks of a system, and what they are sent. */
export type ChaosEvents = {
  /** The environment of the notifiers. */
  env: Readonly<Record<string, string>>
  faults: Faults
  /** Has every outcome kept for every sink from now on, and begins to pull. Notifiers must run. */
  begin: () => Promise<void>
  /**
   * Waits until every sink has taken the event of every outcome, a bounded time. Resolves with how
   * long that took (ms).
   */
  untilDelivered: () => Promise<number>
  histories: () => SinkHistory[]
  close: () => Promise<void>
}

export type ChaosEventsOptions = {
  system: System
  /** Where the notifiers answer those who pull. */
  origins: () => readonly string[]
  hasArchive: boolean
}

const TOKEN = 'a-token-of-those-who-pull'
const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
const STREAM = 'orders'
const BATCH = 20

/** How long each is active (ms): a notifier waits for an answer for 15 s. */
const behaviours: Record<string, [behaviour: Behaviour, holdMs: FaultKind['holdMs']]> = {
  'a receiver fails': ['fails', [500, 8_000]],
  'a receiver refuses events': ['refuses', [200, 2_000]],
  'a receiver asks for time': ['asksForTime', [200, 4_000]],
  'a receiver hangs': ['hangs', [1_000, 18_000]],
  'a receiver answers late': ['isLate', [1_000, 8_000]],
  'a receiver answers half': ['breaksOff', [500, 5_000]],
  'a receiver hangs up': ['hangsUp', [500, 5_000]],
}

/** What a notifier that died had is taken over after 30 s. */
const DELIVERED_MS_MAX = 120_000
const POLL_MS = 250

/** Starts receivers, with files in `dir`, and writes the sinks for notifiers of `system`. */
export async function openChaosEvents(
  dir: string,
  { system, origins, hasArchive }: ChaosEventsOptions,
): Promise<ChaosEvents> {
  const node = await RedisNode.open('redis-of-a-sink', join(dir, 'redis-of-a-sink'))
  const [single, batch] = [
    await Receiver.open('single', secret),
    await Receiver.open('batch', secret),
  ]
  const stream = new StreamReader('stream', node, STREAM)
  const pull = new PullReader({ token: TOKEN, origins, hasArchive })
  const file = join(system.dir, 'events.json')
  const webhook = { type: 'webhook', secrets: [secret] }
  const sinks = [
    { ...webhook, name: single.name, url: single.url },
    { ...webhook, name: batch.name, url: batch.url, batch: BATCH },
    { name: 'stream', type: 'redis-stream', url: node.url, stream: STREAM },
  ]
  await writeFile(file, JSON.stringify({ sinks }))
  const all: SentEvents[] = [single, batch, stream, pull].map(({ sent }) => sent)
  const ending = new AbortController()
  let pulling = Promise.resolve()
  const using = async <T>(body: (store: OperatorStore) => Promise<T>): Promise<T> => {
    const store = await openOperatorStore({ ...system, onFault: () => {} })
    return body(store).finally(() => store.close())
  }
  return {
    env: { EVENTS_FILE: file, EVENTS_TOKEN: TOKEN },
    faults: { ...receiverFaults([single, batch]), 'kill the Redis of a sink': killed(node) },
    begin: async () => {
      await using(async ({ streams, shards }) => {
        for (let shard = 0; shard < shards; shard += 1)
          for (const { name } of sinks) await streams.open(shard, name)
      })
      await pull.begin()
      pulling = pull.run(ending.signal)
    },
    untilDelivered: () =>
      using(async (store) => {
        const begun = performance.now()
        const names = [...sinks.map(({ name }) => name), 'pull']
        while (performance.now() - begun < DELIVERED_MS_MAX) {
          await stream.read()
          if ((await isAcknowledged(store, names)) && haveTheSame(all)) break
          // What has failed often would be tried again in minutes.
          for (const { name } of sinks) await makeAllDue(store, name)
          await wait(POLL_MS)
        }
        return performance.now() - begun
      }),
    histories: () => all.map(({ history }) => history),
    close: async () => {
      ending.abort()
      await pulling
      await Promise.all([single.close(), batch.close(), node.close()])
    },
  }
}

const receiverFaults = (receivers: readonly Receiver[]): Faults =>
  Object.fromEntries(
    Object.entries(behaviours).map(([kind, [behaviour, holdMs]]) => [
      kind,
      {
        holdMs,
        inject: async (testBed, random) => {
          const receiver = testBed.take(receivers, random)
          if (receiver === undefined) return undefined
          receiver.behave(behaviour)
          const heal = () => testBed.heal(receiver, () => receiver.behave('takes'))
          return { on: receiver.name, heal }
        },
      },
    ]),
  )

const killed = (node: RedisNode): FaultKind => ({
  holdMs: [0, 3_000],
  inject: (testBed, random) =>
    onNode([node], testBed, random, async () => {
      await node.kill()
      return () => node.start()
    }),
})

/** Whether no outcome waits for one of these sinks, but in jobs. */
async function isAcknowledged(
  { streams, shards }: OperatorStore,
  sinks: readonly string[],
): Promise<boolean> {
  for (let shard = 0; shard < shards; shard += 1)
    for (const sink of sinks)
      if ((await streams.progress(shard, sink))?.oldest !== undefined) return false
  return true
}

/** Whether each has what the others have. */
function haveTheSame(all: readonly SentEvents[]): boolean {
  const ids = new Set(all.flatMap((sent) => [...sent.taken]))
  return all.every(({ taken }) => taken.size === ids.size)
}

async function makeAllDue({ jobsOf, shards }: OperatorStore, sink: string): Promise<void> {
  for (let shard = 0; shard < shards; shard += 1) {
    const jobs = jobsOf(shard, sink)
    await jobs.promote().finally(() => jobs.close())
  }
}
