import { z } from 'zod'
import { shardsKey } from '../keys.ts'

/**
 * The version of all data in Redis. It changes when another version of this program would read keys
 * or values wrongly. Values that change for single orders have versions of their own.
 */
const LAYOUT = 4

/** This process must not use this Redis: orders would be looked for where they are not. */
export class ShardsFault extends Error {
  override readonly name = 'ShardsFault'
}

/**
 * The value stored at the first start. It is not a number, so that versions before 2, which stored
 * one, refuse it.
 */
const StoredShards = z.object({
  layout: z.int(),
  shards: z.int(),
  /** While the number is being changed: to which, and the step that was begun last. */
  resharding: z.exactOptional(z.object({ to: z.int(), step: z.string() })),
})
type StoredShards = z.output<typeof StoredShards>
export type Resharding = NonNullable<StoredShards['resharding']>

export const shardsText = (shards: number, resharding?: Resharding): string =>
  JSON.stringify({
    layout: LAYOUT,
    shards,
    ...(resharding && { resharding }),
  } satisfies StoredShards)

/**
 * Compares the value of the first start with what this process expects.
 *
 * @throws ShardsFault if they differ; its message says what to do
 */
export function checkShards(text: string | null, shards: number): void {
  if (text === shardsText(shards)) return
  const stored = readShards(text)
  if (stored.resharding !== undefined) {
    const { to } = stored.resharding
    throw new ShardsFault(
      `this Redis is being brought from ${stored.shards} to ${to} shards: ` +
        `end that with npm run archive -- reshard ${to}, and set SHARDS=${to}`,
    )
  }
  throw new ShardsFault(
    `SHARDS is ${shards}, but this Redis was first used with ${stored.shards}: ` +
      `set SHARDS=${stored.shards}, or change the number with npm run archive -- reshard ${shards}`,
  )
}

/**
 * Reads the value of the first start.
 *
 * @throws ShardsFault if it is of another version, or not from placeorder
 */
export function readShards(text: string | null): StoredShards {
  const stored = parseShards(text)
  if (/^\d+$/.test(text ?? '') || (stored?.layout ?? LAYOUT) < LAYOUT)
    throw new ShardsFault(
      'this Redis holds orders of an older version of placeorder, ' +
        'which this version cannot read: start that version, or use an empty Redis',
    )
  if (stored === undefined)
    throw new ShardsFault(`the value of ${shardsKey} in this Redis is not from placeorder: ${text}`)
  if (stored.layout !== LAYOUT)
    throw new ShardsFault(
      `this Redis is used by a newer version of placeorder (layout ${stored.layout}, ` +
        `this version knows ${LAYOUT}): start that version`,
    )
  return stored
}

function parseShards(text: string | null): StoredShards | undefined {
  try {
    return StoredShards.parse(JSON.parse(text ?? ''))
  } catch {
    return undefined
  }
}
