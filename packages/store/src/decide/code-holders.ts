import type { CodeRecord } from '@placeorder/decision/records'
import { codeHolderKey, type Digest, digestOf, type OrderId } from '../keys.ts'
import type { RedisConnection } from '../redis/connection.ts'
import { Script } from '../redis/script.ts'

/**
 * A code's holder is kept for this time after the code expired (ms): an order that was claimed
 * before that is decided within a day.
 */
const AFTER_EXPIRY_MS = 86_400_000

/** Until when the holder of a code is kept (ms), by when the code expires; 0: for ever. */
export const heldUntil = (expiresAt: number | undefined): number =>
  expiresAt === undefined ? 0 : expiresAt + AFTER_EXPIRY_MS

/** When a code expires (ms); undefined if it never does. */
export const expiryOf = ({ expiresAt }: CodeRecord): number | undefined =>
  expiresAt == null ? undefined : Date.parse(expiresAt)

/** The orders that were placed with order codes: each is kept while its code may be used. */
export class CodeHolders {
  readonly #keep = new Script('keep-holders')
  readonly #connection: RedisConnection

  constructor(connection: RedisConnection) {
    this.#connection = connection
  }

  /** Keeps the holders of codes for as long as their records say now. */
  async keep(codes: CodeRecord[]): Promise<void> {
    const forOne = codes.filter(({ type }) => type === 'ORDER_CODE')
    if (forOne.length === 0) return
    const keys = forOne.map(({ codeValue }) => codeHolderKey(digestOf(codeValue)))
    await this.#keep.run(
      this.#connection,
      keys,
      forOne.map((code) => heldUntil(expiryOf(code))),
    )
  }

  /** Has a code held by an order if nobody holds it. Resolves with whether that was so. */
  async restore(code: Digest, orderId: OrderId, record: CodeRecord): Promise<boolean> {
    if (record.type !== 'ORDER_CODE') return false
    const key = codeHolderKey(code)
    if ((await this.#connection.setnx(key, orderId)) === 0) return false
    const until = heldUntil(expiryOf(record))
    if (until > 0) await this.#connection.pexpireat(key, until)
    return true
  }

  /** Removes the holder of a code that is not in the directory any more. */
  async remove(codeValue: string): Promise<void> {
    await this.#connection.del(codeHolderKey(digestOf(codeValue)))
  }
}
