import type { Redis } from 'ioredis'
import { z } from 'zod'

/** The memory that all keys of one kind use together. */
export type KindUsage = { kind: string; keys: number; bytes: number }

/** How many keys of a kind are measured; the others are assumed to be alike. */
const SAMPLE_MAX = 400

/** How many members of a large key Redis samples to estimate its size. */
const MEMBERS = 1_000

/** Measures a server's memory by kind of key, largest first. `kindOf` names a key's kind. */
export async function memoryUsage(
  connection: Redis,
  kindOf: (key: string) => string,
): Promise<KindUsage[]> {
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
  const usages: KindUsage[] = []
  for (const [kind, { keys, sample }] of kinds) {
    let bytes = 0
    let measured = 0
    for (const key of sample) {
      const used = await memoryUsageOf(connection, key)
      bytes += used ?? 0
      measured += used === undefined ? 0 : 1
    }
    usages.push({ kind, keys, bytes: measured === 0 ? 0 : (bytes * keys) / measured })
  }
  return usages.toSorted((a, b) => b.bytes - a.bytes)
}

/**
 * The bytes of a key: its value, its name and its entry in the key table. Undefined if it is gone.
 */
export async function memoryUsageOf(connection: Redis, key: string): Promise<number | undefined> {
  const bytes = await connection.call('MEMORY', 'USAGE', key, 'SAMPLES', String(MEMBERS))
  return z.number().nullable().parse(bytes) ?? undefined
}
