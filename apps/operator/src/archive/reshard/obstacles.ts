import type { Archive } from '@placeorder/archive'
import type { ReshardStore } from '@placeorder/store'
import { demandBelieved } from '../rebuild.ts'
import { redisSideOf, shardsUpTo, sinksOf } from './change.ts'

export type Stores = { store: ReshardStore; archive: Archive }

/**
 * Why the number of shards cannot be changed now, all at once. `marked`: outboxes may have entries
 * of the change itself, which no sink needs.
 */
export async function obstacles(
  stores: Stores,
  { from, marked }: { from: number; marked: boolean },
): Promise<string[]> {
  const { store } = stores
  const found = [
    await connected(store),
    ...(await notDurable(stores)),
    await openOrders(store, from),
    ...(marked ? [] : await undelivered(store, from)),
    await notBelieved(stores, from),
  ]
  return found.flatMap((one) => one ?? [])
}

export async function connected(store: ReshardStore): Promise<string | undefined> {
  const processes = await store.connected()
  return processes.length === 0
    ? undefined
    : `end what is connected to this Redis: ${processes.join(', ')}`
}

async function notDurable({ store, archive }: Stores): Promise<string[]> {
  const [{ faults }, settings] = await Promise.all([store.durability.report(), archive.settings()])
  const off = (['fsync', 'synchronous_commit'] as const).filter((name) => settings[name] === 'off')
  return [
    ...faults.map((fault) => `Redis is not durable: ${fault}`),
    ...off.map((name) => `PostgreSQL is not durable: set ${name} to on`),
    ...(settings.transaction_read_only === 'on'
      ? ['ARCHIVE_URL names a replica: name the primary']
      : []),
  ]
}

async function openOrders(store: ReshardStore, from: number): Promise<string | undefined> {
  const backlogs = await Promise.all(shardsUpTo(from).map((shard) => store.orders.backlog(shard)))
  const open = backlogs.reduce((sum, shard) => sum + shard.open, 0)
  return open === 0
    ? undefined
    : `open orders: ${open.toLocaleString('en')}: run workers without ingresses until ` +
        'npm run orders -- open lists none'
}

async function undelivered(store: ReshardStore, from: number): Promise<string[]> {
  const found: string[] = []
  for (const sink of await sinksOf(store, from)) {
    let [behind, replays, waiting, dead] = [false, 0, 0, 0]
    for (const shard of shardsUpTo(from)) {
      const progress = await store.streams.progress(shard, sink)
      const jobs = store.jobsOf(shard, sink)
      const counts = await jobs.counts().finally(() => jobs.close())
      behind ||= progress?.oldest !== undefined
      replays += progress?.replays ?? 0
      waiting += counts.waiting
      dead += counts.dead
    }
    if (behind || replays + waiting + dead > 0)
      found.push(
        `events of the sink ${sink} are not delivered (${behind ? '' : 'none '}in the outbox, ` +
          `${replays} replays, ${waiting} tried again, ${dead} dead letters): run a notifier ` +
          `until they are, or remove the sink with npm run events -- remove ${sink}`,
      )
  }
  return found
}

/** An archive, a Redis or a filter that is older than it was would lose orders by the change. */
async function notBelieved(stores: Stores, from: number): Promise<string | undefined> {
  const { store, archive } = stores
  try {
    await archive.check()
    const known: number[] = []
    for (const shard of shardsUpTo(from)) {
      const archiveId = (await store.states.of(shard))?.archiveId
      if (archiveId === undefined) continue
      known.push(shard)
      await archive.compare({ archiveId, shard }, (at) =>
        redisSideOf({ store, archiveId }, shard, at),
      )
      await store.filters.read(shard)
    }
    // Shards that are no more are removed from the first one on, the last step.
    if (!known.includes(0)) return 'this Redis copies to no archive: run npm run archive -- migrate'
    await demandBelieved(known, stores)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
