import { z } from 'zod'
import { codeHolderKey, Digest, OrderId, releasedCodesKey } from '../keys.ts'
import type { RedisConnection } from '../redis/connection.ts'
import { Script } from '../redis/script.ts'

/**
 * The release of an order code by an operator: the order that held it, the reason, and who did it.
 */
type Release = { code: Digest; orderId: OrderId; reason: string; by: string }

/** About how many are kept: operators make them one by one, and each takes some 200 bytes. */
const RELEASES_MAX = 10_000

/** The order codes that operators have released. */
export class ReleasedCodes {
  readonly #release = new Script('release-code')
  readonly #connection: RedisConnection

  constructor(connection: RedisConnection) {
    this.#connection = connection
  }

  /**
   * Releases a code that this order holds, and records that, in one step. Only for an order that is
   * not open: a concluded one never takes the code again. Resolves with false, and does nothing, if
   * the order does not hold the code.
   */
  async release({ code, orderId, reason, by }: Release): Promise<boolean> {
    const entry = { code, orderId, reason, by }
    const reply = await this.#release.run(
      this.#connection,
      [codeHolderKey(code), releasedCodesKey],
      [orderId, RELEASES_MAX, ...Object.entries(entry).flat()],
    )
    return reply === 1
  }

  /** The newest releases with their times (ms), newest first, `max` at most. */
  async newest(max: number): Promise<(Release & { at: number })[]> {
    return Entries.parse(await this.#connection.xrevrange(releasedCodesKey, '+', '-', 'COUNT', max))
  }
}

const Fields = z.object({ code: Digest, orderId: OrderId, reason: z.string(), by: z.string() })

/**
 * The reply of XREVRANGE: ids, which begin with the time (ms), and fields and values, alternating.
 */
const Entries = z.array(
  z.tuple([z.string(), z.array(z.string())]).transform(([id, words]) => {
    const pairs = words.flatMap((word, i) => (i % 2 === 0 ? [[word, words[i + 1]]] : []))
    return { at: Number.parseInt(id, 10), ...Fields.parse(Object.fromEntries(pairs)) }
  }),
)
