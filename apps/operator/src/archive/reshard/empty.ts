import { type FoundOrder, orderToArchive } from '@placeorder/archive'
import { digestOf, namesOf, type OrderId, type OrderToCompare, orderIdOf } from '@placeorder/store'
import { type Change, counted, redisSideOf, shardsUpTo } from './change.ts'

/**
 * Copies all concluded orders to the archive, which compares those that it has. What it cannot keep
 * or has otherwise is set aside; what it has equal is set aside no more.
 */
export async function copy(change: Change): Promise<string> {
  let copied = 0
  for (const shard of shardsUpTo(change.from)) {
    for await (const orderIds of change.store.allOrders.of(shard)) {
      copied += await copyPage(change, shard, [...new Set(orderIds)])
      change.progress(counted(copied, 'orders'))
    }
  }
  return counted(copied, 'orders are in the archive')
}

async function copyPage(change: Change, shard: number, orderIds: OrderId[]): Promise<number> {
  const { store, archive, archiveId } = change
  const read = await store.records.read(shard, orderIds)
  const orders = read.flatMap((one) => (one instanceof Error ? [] : orderToArchive(one, digestOf)))
  const unreadable = read.flatMap((one, i) => {
    const orderId = orderIds[i]
    return one instanceof Error && orderId !== undefined ? [{ orderId, reason: one.message }] : []
  })
  const redisSide = (at: string | undefined) => redisSideOf(change, shard, at)
  const written = await archive.write({ archiveId, shard }, { orders, last: undefined, redisSide })
  const setAside = [
    ...unreadable,
    ...written.contradictions.map((order) => ({
      orderId: orderIdOf(order),
      reason: 'the archive has it otherwise',
    })),
    ...written.unkeepable.map(({ order, reason }) => ({ orderId: orderIdOf(order), reason })),
  ]
  await store.states.setAside(shard, setAside)
  const { archivedTo = '0-0' } = (await store.states.of(shard)) ?? {}
  await store.states.raise(shard, { archiveId, version: written.version, archivedTo })
  const others = new Set(setAside.map(({ orderId }) => orderId))
  await store.states.takeBack(
    shard,
    orderIds.filter((orderId) => !others.has(orderId)),
  )
  return orderIds.length - setAside.length
}

/**
 * Forgets all concluded orders, each after the archive has returned it equal to what is in Redis.
 * What was set aside stays.
 */
export async function forget(change: Change): Promise<string> {
  let forgotten = 0
  for (const shard of shardsUpTo(change.from)) {
    for await (const orderIds of change.store.allOrders.of(shard)) {
      forgotten += await forgetPage(change, shard, [...new Set(orderIds)])
      change.progress(counted(forgotten, 'orders'))
    }
  }
  return counted(forgotten, 'orders are in the archive alone')
}

async function forgetPage(
  { store, archive, archiveId }: Change,
  shard: number,
  orderIds: OrderId[],
): Promise<number> {
  const read = await store.forgetting.read(shard, orderIds)
  const { version, found } = await archive.lookUp({ archiveId, shard }, orderIds.map(namesOf))
  if (version === undefined) throw new Error(`the archive knows nothing of shard ${shard}`)
  const archived = new Map(found.map((order) => [orderIdOf(order), order]))
  const orders = read.flatMap((here) =>
    here !== undefined && !(here instanceof Error) && isEqual(here, archived.get(here.orderId))
      ? [here]
      : [],
  )
  const equal = new Set(orders.map(({ orderId }) => orderId))
  const others = orderIds.filter((orderId, i) => read[i] !== undefined && !equal.has(orderId))
  if (others.length > 0) {
    const setAside = new Set((await store.states.listSetAside(shard)).map((one) => one.orderId))
    const lost = others.find((orderId) => !setAside.has(orderId))
    if (lost !== undefined)
      throw new Error(`the archive has lost the order ${namesOf(lost).paymentId}`)
  }
  return store.forgetting.forget(shard, { archiveId, version, dueAt: 0, orders, from: '', to: '' })
}

const isEqual = (here: OrderToCompare, there: FoundOrder | undefined): boolean =>
  here.outcome === there?.outcome &&
  here.terms === there.terms &&
  here.paymentRequestId === there.paymentRequestId
