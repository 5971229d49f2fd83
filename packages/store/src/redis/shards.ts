import { z } from 'zod'
import { shardsKey } from '../keys.ts'

/**
 * The version of all that Redis holds: it changes when another version of this program would read keys or values wrongly. What
 * changes for some orders alone has a version of its own in the value.
 */
const LAYOUT = 3

/** This process must not use this Redis: orders would be looked for where they are not. */
export class ShardsFault extends Error {
  override readonly name = 'ShardsFault'
}

/** What is kept from the first start on. It is no number, so that versions before 2, which kept one, refuse it. */
const Kept = z.object({ layout: z.int(), shards: z.int() })

export const shardsText = (shards: number): string =>
  JSON.stringify({ layout: LAYOUT, shards } satisfies z.output<typeof Kept>)

/**
 * Compares what the first start kept with what this process expects.
 *
 * @throws ShardsFault saying what to do when they differ
 */
export function checkShards(text: string | null, shards: number): void {
  if (text === shardsText(shards)) return
  const kept = keptOf(text)
  if (/^\d+$/.test(text ?? '') || (kept?.layout ?? LAYOUT) < LAYOUT)
    throw new ShardsFault(
      'this Redis holds orders of an older version of placeorder, which this version cannot read: ' +
        'start that version, or use an empty Redis',
    )
  if (kept === undefined)
    throw new ShardsFault(`the value of ${shardsKey} in this Redis is not from placeorder: ${text}`)
  if (kept.layout !== LAYOUT)
    throw new ShardsFault(
      `this Redis is used by a newer version of placeorder (layout ${kept.layout}, this version ` +
        `knows ${LAYOUT}): start that version`,
    )
  throw new ShardsFault(
    `SHARDS is ${shards}, but this Redis was first used with ${kept.shards}: ` +
      `set SHARDS=${kept.shards}`,
  )
}

function keptOf(text: string | null): z.output<typeof Kept> | undefined {
  try {
    return Kept.parse(JSON.parse(text ?? ''))
  } catch {
    return undefined
  }
}
