import { compilePolicy, type Facts, limitUses, Policy, recentCounters } from '@placeorder/decision'
import { termsOf } from '@placeorder/protocol'
import {
  connect,
  Directory,
  digestOf,
  disconnect,
  OrderId,
  Orders,
  orderIdOf,
  type RedisAddress,
  type RedisConnection,
} from '@placeorder/store'
import { codeHolderKey, openKey, orderPrefix, usageField, usageKey } from '@placeorder/store/keys'
import { Cluster, type Redis } from 'ioredis'
import type { ArchivedRecord, Compared } from '../archive/both-stores.ts'
import type { CounterUse, StoredOrder, StoredState } from './check-history.ts'

/** How many orders are read in one round trip. */
const ORDERS_AT_ONCE = 1_000

/**
 * Reads all orders, counters, code holders and decisions. `policy` is the text of `policy.json`.
 * Orders that only the archive has are in `archived`, with what is wrong of any order there.
 */
export async function readStoredState(
  { address, shards }: { address: RedisAddress; shards: number },
  policy: string,
  archived: Compared = { wrong: new Map(), forgotten: [] },
): Promise<StoredState> {
  const connection = connect(address, 'patient')
  try {
    await connection.ping() // From then on a Cluster's masters are known.
    const orders: StoredOrder[] = []
    const open: string[] = []
    const kept = new Orders(connection, shards)
    const toStored = storedOrders(new Directory(connection, shards), policy)
    const readOrders = async (shard: number, orderIds: OrderId[]) => {
      const records = await kept.records(shard, orderIds)
      return toStored(
        records.flatMap((record) => {
          if (record instanceof Error) throw record
          return record ?? []
        }),
      )
    }
    for (let shard = 0; shard < shards; shard += 1) {
      const keys = await keysLike(connection, `${orderPrefix(shard)}*`)
      const orderIds = keys.map((key) => OrderId.parse(key.slice(orderPrefix(shard).length)))
      for (let at = 0; at < orderIds.length; at += ORDERS_AT_ONCE)
        orders.push(...(await readOrders(shard, orderIds.slice(at, at + ORDERS_AT_ONCE))))
      open.push(...(await connection.zrangebyscore(openKey(shard), '-inf', '+inf')))
    }
    const { wrong, forgotten } = archived
    for (let at = 0; at < forgotten.length; at += ORDERS_AT_ONCE)
      orders.push(...(await toStored(forgotten.slice(at, at + ORDERS_AT_ONCE))))
    return {
      orders,
      open,
      counters: await countersOf(connection),
      holders: await stringsLike(connection, '{u}:code-holder:*'),
      decisions: await decisionsOf(connection),
      wrongInArchive: wrong,
    }
  } finally {
    await disconnect(connection)
  }
}

/** Reads what is known of the orders of some records besides. */
function storedOrders(directory: Directory, policyText: string) {
  const policy = compilePolicy(Policy.parse(JSON.parse(policyText)))
  const recent = Object.fromEntries(
    recentCounters.map((counter) => [counter, 0]),
  ) as Facts['recent']
  return async (read: readonly ArchivedRecord[]): Promise<StoredOrder[]> => {
    const { merchants, codes } = await directory.find(
      read.map(({ order }) => order.merchant.referenceMerchantId),
      read.map(({ order }) => digestOf(order.codeValue)),
    )
    const usesOf = ({ order, clientId, claimedAt }: ArchivedRecord): CounterUse[] => {
      const merchant = merchants.get(order.merchant.referenceMerchantId)
      if (merchant instanceof Error) throw merchant
      const none = { code: undefined, codeHeldBy: undefined }
      const facts = { order, clientId, claimedAt, merchant, ...none, recent }
      return limitUses(facts, policy).map(
        ({ subject, id, day, currency, amount, amountMax, countMax }) => ({
          counter: `${usageKey(day, currency)} ${usageField(subject, id)}`,
          amount,
          amountMax,
          countMax,
        }),
      )
    }
    return read.map((record) => {
      const { order, paymentRequestId, outcome } = record
      const digest = digestOf(order.codeValue)
      const code = codes.get(digest)
      const forOne = code !== undefined && !(code instanceof Error) && code.type === 'ORDER_CODE'
      return {
        orderId: orderIdOf(order),
        terms: termsOf(order),
        paymentRequestId,
        outcome,
        uses: usesOf(record),
        orderCode: forOne ? codeHolderKey(digest) : undefined,
      }
    })
  }
}

function counterOf(text: string): { amount: bigint; count: bigint } {
  const [amount = '0', count = '0'] = text.split(' ')
  return { amount: BigInt(amount), count: BigInt(count) }
}

async function countersOf(connection: RedisConnection): Promise<StoredState['counters']> {
  const counters: StoredState['counters'] = new Map()
  for (const key of await keysLike(connection, '{u}:usage:*'))
    for (const [field, text] of Object.entries(await connection.hgetall(key)))
      counters.set(`${key} ${field}`, counterOf(text))
  return counters
}

async function decisionsOf(connection: RedisConnection): Promise<Map<string, string>> {
  const decisions = new Map<string, string>()
  for (const key of await keysLike(connection, '{u}:decided:*'))
    for (const [orderId, code] of Object.entries(await connection.hgetall(key)))
      decisions.set(orderId, code.slice(1)) // The first character is a version.
  return decisions
}

async function stringsLike(
  connection: RedisConnection,
  pattern: string,
): Promise<Map<string, string>> {
  const keys = await keysLike(connection, pattern)
  const texts = keys.length === 0 ? [] : await connection.mget(keys) // They share the tag {u}.
  return new Map(keys.flatMap((key, i) => (texts[i] ? [[key, texts[i]]] : [])))
}

/** Finds all keys that match a pattern, on all masters. */
async function keysLike(connection: RedisConnection, pattern: string): Promise<string[]> {
  const masters: Redis[] = connection instanceof Cluster ? connection.nodes('master') : [connection]
  const keys = new Set<string>()
  for (const master of masters)
    for await (const some of master.scanStream({ match: pattern, count: 1_000 }))
      for (const key of some) keys.add(key)
  return [...keys]
}
