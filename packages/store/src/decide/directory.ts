import { CodeRecord, MerchantRecord } from '@placeorder/decision/records'
import { Cluster } from 'ioredis'
import type { z } from 'zod'
import {
  codeHolderKey,
  codeKey,
  type Digest,
  digestOf,
  merchantKey,
  OrderId,
  shardOf,
} from '../keys.ts'
import type { RedisConnection } from '../redis/connection.ts'
import { CodeHolders } from './code-holders.ts'

/**
 * The directory's records of the merchants and codes of a group of orders; an Error for a record
 * that cannot be read.
 */
export type DirectoryRecords = {
  merchants: Map<string, MerchantRecord | Error>
  codes: Map<Digest, CodeRecord | Error>
  /** The orders that hold order codes. */
  holders: Map<Digest, OrderId>
}

/**
 * How many parsed records are cached. A record is fetched every time, and parsed again when its
 * text has changed.
 */
const PARSED_MAX = 10_000

/** The acquirer's merchants and codes, as imported. */
export class Directory {
  readonly #connection: RedisConnection
  readonly #shards: number
  readonly #holders: CodeHolders
  readonly #merchants = new RecordParser(MerchantRecord)
  readonly #codes = new RecordParser(CodeRecord)

  constructor(connection: RedisConnection, shards: number) {
    this.#connection = connection
    this.#shards = shards
    this.#holders = new CodeHolders(connection)
  }

  /** Fetches merchants by id, and codes by digest with their holders, in one round trip. */
  async find(
    merchantIds: Iterable<string>,
    codeDigests: Iterable<Digest>,
  ): Promise<DirectoryRecords> {
    const merchants = [...new Set(merchantIds)]
    const codes = [...new Set(codeDigests)]
    const texts = await this.#fetch([
      ...merchants.map((id) => merchantKey(shardOf(id, this.#shards), id)),
      ...codes.map((code) => codeKey(shardOf(code, this.#shards), code)),
      ...codes.map(codeHolderKey),
    ])
    const merchantTexts = texts.splice(0, merchants.length)
    const codeTexts = texts.splice(0, codes.length)
    return {
      merchants: this.#merchants.all(merchants, merchantTexts),
      codes: this.#codes.all(codes, codeTexts),
      holders: new Map(
        codes.flatMap((code, i) => (texts[i] ? [[code, OrderId.parse(texts[i])]] : [])),
      ),
    }
  }

  async merchant(merchantId: string): Promise<MerchantRecord | undefined> {
    return orThrow((await this.find([merchantId], [])).merchants.get(merchantId))
  }

  async code(codeValue: string): Promise<CodeRecord | undefined> {
    const code = digestOf(codeValue)
    return orThrow((await this.find([], [code])).codes.get(code))
  }

  /** The order that holds an order code. */
  async holder(codeValue: string): Promise<OrderId | undefined> {
    const holder = await this.#connection.get(codeHolderKey(digestOf(codeValue)))
    return holder === null ? undefined : OrderId.parse(holder)
  }

  /**
   * Has order codes held by these orders, where nobody holds them. Other codes hold nothing.
   * Resolves with the number of those that were not held.
   */
  async restoreHolders(held: { code: Digest; orderId: OrderId }[]): Promise<number> {
    const { codes } = await this.find(
      [],
      held.map(({ code }) => code),
    )
    let restored = 0
    for (const { code, orderId } of held) {
      const record = codes.get(code)
      if (record === undefined || record instanceof Error) continue
      restored += Number(await this.#holders.restore(code, orderId, record))
    }
    return restored
  }

  /**
   * Writes records over earlier ones. May be repeated. A code that is imported again before its
   * holder is gone keeps it.
   */
  async put(merchants: MerchantRecord[], codes: CodeRecord[]): Promise<void> {
    await this.#write([
      ...merchants.map(
        (merchant) => [this.#merchantKey(merchant.merchantId), JSON.stringify(merchant)] as const,
      ),
      ...codes.map((code) => [this.#codeKey(code.codeValue), JSON.stringify(code)] as const),
    ])
    await this.#holders.keep(codes)
  }

  /** Removes a merchant; false if there was none. */
  async removeMerchant(merchantId: string): Promise<boolean> {
    return (await this.#connection.del(this.#merchantKey(merchantId))) === 1
  }

  /**
   * Removes a code, and then its holder: while there is a record, it must not be placed again.
   * False if there was none.
   */
  async removeCode(codeValue: string): Promise<boolean> {
    const removed = (await this.#connection.del(this.#codeKey(codeValue))) === 1
    await this.#holders.remove(codeValue)
    return removed
  }

  #merchantKey(merchantId: string): string {
    return merchantKey(shardOf(merchantId, this.#shards), merchantId)
  }

  #codeKey(codeValue: string): string {
    const code = digestOf(codeValue)
    return codeKey(shardOf(code, this.#shards), code)
  }

  /** The values of keys of any shards, in order: one MGET, or on a Cluster one for each slot. */
  async #fetch(keys: string[]): Promise<(string | null)[]> {
    if (keys.length === 0) return []
    if (!(this.#connection instanceof Cluster)) return this.#connection.mget(keys)
    const bySlot = groupBy(keys, (key) => key.slice(0, key.indexOf('}')))
    const found = new Map<string, string | null>()
    await Promise.all(
      bySlot.map(async (group) => {
        const texts = await this.#connection.mget(group)
        group.forEach((key, i) => {
          found.set(key, texts[i] ?? null)
        })
      }),
    )
    return keys.map((key) => found.get(key) ?? null)
  }

  async #write(entries: (readonly [key: string, text: string])[]): Promise<void> {
    const bySlot = groupBy(entries, ([key]) => key.slice(0, key.indexOf('}')))
    await Promise.all(bySlot.map((group) => this.#connection.mset(group.flat())))
  }
}

/** Parses records, and caches them by their text. */
class RecordParser<T> {
  readonly #schema: z.ZodType<T>
  readonly #kept = new Map<string, { text: string; record: T }>()

  constructor(schema: z.ZodType<T>) {
    this.#schema = schema
  }

  all<Id extends string>(ids: Id[], texts: (string | null)[]): Map<Id, T | Error> {
    const records = new Map<Id, T | Error>()
    for (const [i, id] of ids.entries()) {
      const text = texts[i]
      if (text) records.set(id, this.#one(id, text))
    }
    return records
  }

  #one(id: string, text: string): T | Error {
    const kept = this.#kept.get(id)
    if (kept?.text === text) return kept.record
    const record = this.#read(text)
    if (record instanceof Error) return record
    if (this.#kept.size >= PARSED_MAX) this.#kept.clear()
    this.#kept.set(id, { text, record })
    return record
  }

  #read(text: string): T | Error {
    try {
      return this.#schema.parse(JSON.parse(text))
    } catch (cause) {
      return new Error('a record of the directory cannot be read: import it again', { cause })
    }
  }
}

function orThrow<T>(record: T | Error | undefined): T | undefined {
  if (record instanceof Error) throw record
  return record
}

function groupBy<T>(items: T[], keyOf: (item: T) => string): T[][] {
  return [...Map.groupBy(items, keyOf).values()]
}
