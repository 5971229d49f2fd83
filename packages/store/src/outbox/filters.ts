import { hash } from 'node:crypto'
import { z } from 'zod'
import { archiveKey, forgottenKey, type OrderId } from '../keys.ts'
import type { RedisConnection } from '../redis/connection.ts'

// What Redis has forgotten it remembers in Bloom filters: a forgotten order has eight bits in one
// of them, and of an order that was never forgotten all eight are set once in 1,500 times. Bits are
// set by the script that forgets the order, and never cleared.
//
// A filter consists of blocks, and all bits of an order are in one block: a look touches one line
// of the processor's cache.
//
// What a shard knows of the archive, a hash, lists its filters. Its field `filters` has
// `n:bytes:count` of each, separated by spaces: the filter with the number `n` is `bytes` long and
// was given `count` orders. The last one is written to, all are read. `generation` increments with
// every change of the list, but not of a count. Whoever reads filters says for which generation,
// since one who lacks a filter would take a forgotten order for a new one.

/** The bits of a block, 64 bytes. */
const BLOCK_BITS = 512

/** How many bits of a filter an order has. */
export const BITS = 8

/** How many bits there are for each order that a filter is made for: 0.067 % false "maybe". */
const ROOM_BITS = 16.8

/** The first filter of a shard, for 8.4 million orders. */
const FIRST_BYTES = 17_640_000

/** Each filter is this many times as long as the one before it. */
const GROWTH = 4

/** The longest string of Redis, for 255 million orders. */
const BYTES_MAX = 2 ** 29

/** A filter of a shard; `count` orders were forgotten with it. */
export type Filter = { n: number; bytes: number; count: number }

/** The filters of a shard, oldest first. */
export type FilterList = { generation: number; filters: Filter[] }

/** The list of a shard that has forgotten nothing. */
export const noFilters: FilterList = { generation: 0, filters: [] }

/**
 * The filters of a shard are read again so often because they have changed: they hardly ever do.
 */
const STALE_MAX = 5

/** Why the filters of a shard must not be used: a forgotten order would look like a new one. */
export class FilterFault extends Error {
  override readonly name = 'FilterFault'
}

/** How many orders a filter of this length is for. */
export const capacityOf = (bytes: number): number => Math.floor((bytes * 8) / ROOM_BITS)

/** How long the filter after these is. `firstBytes`: for tests; whole blocks. */
export function nextBytes(filters: Filter[], firstBytes: number = FIRST_BYTES): number {
  const last = filters.at(-1)
  return last === undefined ? firstBytes : Math.min(last.bytes * GROWTH, BYTES_MAX)
}

/**
 * The last bit of a filter. It is set when a filter is made: that gives it its length, and whoever
 * finds it unset knows that the filter is missing or was cut.
 */
export const lastBitOf = (bytes: number): number => bytes * 8 - 1

/** Where an order has its bits in a filter of this length. Two of them may be the same. */
export const bitsOf = (orderId: OrderId, bytes: number): number[] =>
  bitsAt(digestOf(orderId), bytes)

/**
 * For each filter, the arguments with which BITFIELD reads its last bit and then the bits of each
 * order, as JSON.
 */
export function readsOf(orderIds: OrderId[], filters: Filter[]): string[] {
  if (filters.length === 0) return []
  const digests = orderIds.map(digestOf)
  return filters.map(({ bytes }) => {
    const bits = digests.flatMap((digest) => bitsAt(digest, bytes))
    return JSON.stringify([lastBitOf(bytes), ...bits].flatMap((bit) => ['GET', 'u1', `${bit}`]))
  })
}

const digestOf = (orderId: OrderId): Buffer => hash('sha256', orderId, 'buffer')

/** 48 bits of the digest choose the block, and then 16 each a bit of it. */
function bitsAt(digest: Buffer, bytes: number): number[] {
  const block = digest.readUIntBE(0, 6) % ((bytes * 8) / BLOCK_BITS)
  return Array.from(
    { length: BITS },
    (_, i) => block * BLOCK_BITS + (digest.readUInt16BE(6 + 2 * i) % BLOCK_BITS),
  )
}

/** The filters of all shards, as their hashes list them. */
export class Filters {
  readonly #connection: RedisConnection
  readonly #known = new Map<number, FilterList>()

  constructor(connection: RedisConnection) {
    this.#connection = connection
  }

  /** A shard’s filters as of the last `read`; none before it. A script says if there are others. */
  known(shard: number): FilterList {
    return this.#known.get(shard) ?? noFilters
  }

  /**
   * Runs `body` with the filters as they are known; again with those there are if it resolves with
   * STALE.
   */
  async use<T>(shard: number, body: (list: FilterList) => Promise<T | 'STALE'>): Promise<T> {
    for (let attempt = 1; attempt <= STALE_MAX; attempt += 1) {
      const result = await body(this.known(shard))
      if (result !== 'STALE') return result
      await this.read(shard)
    }
    throw new FilterFault(`the filters of shard ${shard} change all the time`)
  }

  /**
   * Reads a shard's filters, and compares their lengths.
   *
   * @throws FilterFault if one is missing or has another length, or all are older than they were
   */
  async read(shard: number): Promise<FilterList> {
    const list = await this.#list(shard)
    const { generation } = this.known(shard)
    if (list.generation < generation)
      throw new FilterFault(
        `the filters of shard ${shard} are older than they were: ` +
          `their generation is ${list.generation} and was ${generation}`,
      )
    const lengths = await Promise.all(
      list.filters.map(({ n }) => this.#connection.strlen(forgottenKey(shard, n))),
    )
    const at = list.filters.findIndex(({ bytes }, i) => lengths[i] !== bytes)
    const wrong = list.filters[at]
    if (wrong === undefined) {
      this.#known.set(shard, list)
      return list
    }
    // It may have been replaced between the two.
    if ((await this.#list(shard)).generation !== list.generation) return this.read(shard)
    throw new FilterFault(
      `${forgottenKey(shard, wrong.n)} is ${lengths[at]} bytes long, ` +
        `and must be ${wrong.bytes}: orders that it had would be taken for new ones`,
    )
  }

  async #list(shard: number): Promise<FilterList> {
    const fields = await this.#connection.hmget(archiveKey(shard), 'generation', 'filters')
    return Listed.parse(fields)
  }
}

const Listed = z.tuple([z.string().nullable(), z.string().nullable()]).transform(
  ([generation, filters]): FilterList => ({
    generation: Number(generation ?? 0),
    filters: readFilters(filters ?? ''),
  }),
)

/**
 * Reads the value of the field `filters`.
 *
 * @throws FilterFault
 */
export const readFilters = (text: string): Filter[] =>
  text === '' ? [] : text.split(' ').map(readFilter)

function readFilter(item: string): Filter {
  const [, n, bytes, count] = /^(\d+):(\d+):(\d+)$/.exec(item) ?? []
  if (n === undefined) throw new FilterFault(`a filter is listed as ${item}`)
  return { n: Number(n), bytes: Number(bytes), count: Number(count) }
}
