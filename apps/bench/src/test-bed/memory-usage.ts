import type { Redis } from 'ioredis'
import { z } from 'zod'

/** What the keys of one kind memoryUsage together. */
export type Weight = { kind: string; keys: number; bytes: number }

/** Keys of a kind whose weight stands for all of them. */
const SAMPLE_MAX = 400

/** Redis looks at this many members of a large key to tell its weight. */
const MEMBERS = 1_000

/** What lies in a server, by kind of key. `kindOf` names a key's kind. */
export async function memoryUsage(
  connection: Redis,
  kindOf: (key: string) => string,
): Promise<Weight[]> {
  const kinds = new Map<string, { keys: number; sample: string[] }>()
  let cursor = '0'
  do {
    const [next, keys] = await connection.scan(cursor, 'COUNT', 5_000)
    cursor = next
    for (const key of keys) {
      const kind = kinds.get(kindOf(key)) ?? { keys: 0, sample: [] }
      kinds.set(kindOf(key), kind)
      kind.keys += 1
      if (kind.sample.length < SAMPLE_MAX) kind.sample.push(key)
    }
  } while (cursor !== '0')
  const weights: Weight[] = []
  for (const [kind, { keys, sample }] of kinds) {
    let bytes = 0
    for (const key of sample) bytes += await weightOf(connection, key)
    weights.push({ kind, keys, bytes: (bytes * keys) / sample.length })
  }
  return weights.toSorted((a, b) => b.bytes - a.bytes)
}

/** A key with all that is in it, its name and its place among the keys. */
export async function weightOf(connection: Redis, key: string): Promise<number> {
  const bytes = await connection.call('MEMORY', 'USAGE', key, 'SAMPLES', String(MEMBERS))
  return z.number().parse(bytes)
}
