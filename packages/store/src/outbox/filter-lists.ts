import { archiveKey, forgottenKey } from '../keys.ts'
import type { RedisConnection } from '../redis/connection.ts'
import { Script } from '../redis/script.ts'
import { capacityOf, type Filter, nextBytes, readFilters } from './filters.ts'

/** The fields of the hash that list filters: those that claims ask, and those of a rebuild. */
export const filterLists = ['filters', 'rebuilt'] as const
export type FilterListName = (typeof filterLists)[number]

/** A shard's filters as they are listed, and the generation of both lists. */
export type ListedFilters = Record<FilterListName, Filter[]> & { generation: string }

/** So often the lists are read again because others have changed them. */
const CHANGES_MAX = 10

/** Adds filters where there is no room for more orders. */
export class FilterLists {
  readonly #addFilter = new Script('add-filter')
  readonly #connection: RedisConnection
  readonly #firstBytes: number | undefined

  /** `firstBytes`: the length of a shard's first filter, for tests. */
  constructor(connection: RedisConnection, firstBytes?: number) {
    this.#connection = connection
    this.#firstBytes = firstBytes
  }

  async listed(shard: number): Promise<ListedFilters> {
    const fields = await this.#connection.hmget(archiveKey(shard), 'generation', ...filterLists)
    const [generation, filters, rebuilt] = fields
    return {
      generation: generation ?? '0',
      filters: readFilters(filters ?? ''),
      rebuilt: readFilters(rebuilt ?? ''),
    }
  }

  /**
   * The filters of a shard, with room for so many more orders in the last one of each list. A list
   * of a rebuild has filters only while there is one.
   */
  async withRoom(shard: number, orders: number): Promise<ListedFilters> {
    for (let change = 0; change < CHANGES_MAX; change += 1) {
      const listed = await this.listed(shard)
      const full = filterLists.find((list) => lacksRoom(listed[list], list, orders))
      if (full === undefined) return listed
      await this.add(shard, full, listed)
    }
    throw new Error(`others change the filters of shard ${shard} all the time`)
  }

  /**
   * Adds a filter for at least so many orders to a list. Resolves with false, and does nothing, if
   * the lists have changed since they were read.
   */
  async add(
    shard: number,
    list: FilterListName,
    listed: ListedFilters,
    orders = 0,
  ): Promise<boolean> {
    const all = filterLists.flatMap((name) => listed[name].map(({ n }) => n))
    const n = 1 + Math.max(0, ...all)
    const keys = [archiveKey(shard), forgottenKey(shard, n)]
    const bytes = this.#bytesFor(listed[list], orders)
    const args = [listed.generation, list, n, bytes]
    return (await this.#addFilter.run(this.#connection, keys, args)) === 1
  }

  /** The length of the next filter; of a longer one where it would lack room. */
  #bytesFor(filters: Filter[], orders: number): number {
    const bytes = nextBytes(filters, this.#firstBytes)
    const longer = nextBytes([{ n: 0, bytes, count: 0 }])
    return capacityOf(bytes) >= orders || longer === bytes
      ? bytes
      : this.#bytesFor([{ n: 0, bytes, count: 0 }], orders)
  }
}

function lacksRoom(filters: Filter[], list: FilterListName, orders: number): boolean {
  const filter = filters.at(-1)
  if (filter === undefined) return list === 'filters' && orders > 0
  return filter.count + orders > capacityOf(filter.bytes)
}
