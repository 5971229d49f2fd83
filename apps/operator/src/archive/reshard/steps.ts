import { orderIdOf, shardOf } from '@placeorder/store'
import { agree } from '../restore.ts'
import { findArchived } from '../verify.ts'
import { type Change, counted, shardsUpTo, sinksOf } from './change.ts'
import { copy, forget } from './empty.ts'

/** Filters are made for so many times as many orders: shards differ a little. */
const ROOM = 1.1

type Step = {
  /** What it does, for the operator. */
  does: string
  /** May run again, whatever it or a later step had done. Resolves with what is done. */
  run: (change: Change) => Promise<string>
}

/**
 * The steps in their order. Up to `fill`, what belongs to the number before is whole, and the
 * change may be given up.
 */
export const steps = {
  copy: { does: 'copies all concluded orders to the archive', run: copy },
  forget: { does: 'has Redis forget them, whatever KEEP_SECONDS is', run: forget },
  prepare: { does: 'prepares outboxes, for the archive and for each sink', run: prepare },
  fill: { does: 'fills filters for the new number, out of the archive', run: fill },
  move: { does: 'moves the directory and recent orders', run: move },
  swap: { does: 'puts the new filters in force', run: swap },
  check: { does: 'looks for every archived order in them', run: check },
  remove: { does: 'removes the keys of shards that are no more', run: remove },
} satisfies Record<string, Step>

export type StepName = keyof typeof steps
export const stepNames = Object.keys(steps) as StepName[]

/** The first step after which the change must be ended. */
export const POINT_OF_NO_RETURN: StepName = 'move'

async function prepare({ store, archive, archiveId, from, to }: Change): Promise<string> {
  await archive.register(archiveId, to)
  const sinks = await sinksOf(store, from)
  const known = await Promise.all(shardsUpTo(from).map((shard) => store.forgetting.stateOf(shard)))
  const forgets = known.some(({ forgottenTo }) => forgottenTo !== undefined)
  for (const shard of shardsUpTo(to)) {
    await store.states.switchOn(shard, archiveId)
    if (forgets) await store.forgetting.switchOn(shard)
    for (const sink of sinks) await store.streams.open(shard, sink)
  }
  return `${counted(to, 'shards')}, ${counted(sinks.length, 'sinks')}`
}

async function fill({ store, archive, from, to, progress }: Change): Promise<string> {
  const known = await Promise.all(
    shardsUpTo(Math.max(from, to)).map((shard) => store.forgetting.stateOf(shard)),
  )
  const forgotten = known.flatMap(({ filters }) => filters.map(({ count }) => count))
  const orders = forgotten.reduce((sum, count) => sum + count, 0)
  if (orders === 0) return 'no order was ever forgotten'
  for (const shard of shardsUpTo(to))
    await store.rebuilding.begin(shard, Math.ceil((ROOM * orders) / to))
  let entered = 0
  for await (const page of archive.scan()) {
    const ids = page.map((order) => orderIdOf(order))
    for (const [shard, some] of Map.groupBy(ids, (orderId) => shardOf(orderId, to)))
      entered += await store.rebuilding.enter(shard, some)
    progress(counted(entered, 'orders'))
  }
  return counted(entered, 'orders')
}

async function move({ store, from, to, progress }: Change): Promise<string> {
  let moved = 0
  for (const shard of shardsUpTo(from))
    await store.shardKeys.move(shard, to, (keys) => {
      moved += keys
      progress(counted(moved, 'records'))
    })
  return counted(moved, 'records')
}

/**
 * From now on Redis names a version of each shard that has everything which was copied before. So
 * an archive that is older is not believed.
 */
async function swap({ store, archive, archiveId, to }: Change): Promise<string> {
  for (const shard of shardsUpTo(to)) {
    if (await store.rebuilding.isBegun(shard)) await store.rebuilding.swap(shard)
    const stands = (await archive.shards(archiveId)).find((one) => one.shard === shard)
    if (stands === undefined) throw new Error(`the archive knows nothing of shard ${shard}`)
    const { version, entry } = await agree(stands, { store, archive })
    await store.forgetting.noteForgotten(shard, { version, to: entry.id })
    for (const sink of await store.streams.list(shard))
      await store.streams.advance(shard, sink, entry.id)
    await store.outbox.beginAnew(shard)
    await store.outbox.trim(shard)
  }
  return counted(to, 'shards')
}

async function check({ store, archive, from, to }: Change): Promise<string> {
  const { forgotten, lost } = await findArchived({ store: { ...store, shards: to }, archive })
  if (lost.length === 0) return counted(forgotten, 'orders')
  await store.shardCount.note(from, { to, step: 'fill' satisfies StepName })
  throw new Error(`${counted(lost.length, 'orders')} are in no filter: run the command again`)
}

async function remove({ store, from, to }: Change): Promise<string> {
  const gone = shardsUpTo(from).slice(to)
  for (const shard of gone) await store.shardKeys.remove(shard)
  return counted(gone.length, 'shards')
}
