import { z } from 'zod'

const Id = z.string().regex(/^\d{1,20}-\d{1,20}$/)

/** How far somebody who pulls has come. Opaque to them. */
export const Cursor = z.object({
  /** The Redis that the ids are of. */
  incarnation: z.string(),
  /** The last entry of each shard's outbox that they have. */
  ids: z.array(Id),
  /** They read the archive first: orders concluded before `to` (ms), and after this one. */
  archive: z.exactOptional(
    z.object({
      from: z.number(),
      to: z.number(),
      after: z.exactOptional(
        z.object({ concludedAt: z.number(), acquirerId: z.string(), paymentId: z.string() }),
      ),
    }),
  ),
})
export type Cursor = z.output<typeof Cursor>

export const writeCursor = (cursor: Cursor): string =>
  Buffer.from(JSON.stringify(cursor)).toString('base64url')

/** Undefined for what is not a cursor. */
export function readCursor(text: string): Cursor | undefined {
  try {
    return Cursor.safeParse(JSON.parse(Buffer.from(text, 'base64url').toString())).data
  } catch {
    return undefined
  }
}

/** Whether an entry comes before another in its stream. */
export function isBefore(id: string, other: string): boolean {
  const [ms = 0n, n = 0n] = id.split('-').map(BigInt)
  const [otherMs = 0n, otherN = 0n] = other.split('-').map(BigInt)
  return ms === otherMs ? n < otherN : ms < otherMs
}

/** The id that comes right before another one, whether or not there is such an entry. */
export function predecessor(id: string): string {
  const [ms = 0n, n = 0n] = id.split('-').map(BigInt)
  if (n > 0n) return `${ms}-${n - 1n}`
  return ms > 0n ? `${ms - 1n}-${2n ** 64n - 1n}` : '0-0'
}
