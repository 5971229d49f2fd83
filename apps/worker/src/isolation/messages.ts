import type { Facts } from '@placeorder/decision'
import { isOutcome } from '@placeorder/store'
import { z } from 'zod'

// What a worker and the process that judges for it say to each other. Both are of one version.

/** An order to judge. */
export const Question = z.object({
  facts: z.custom<Facts>((facts) => typeof facts === 'object' && facts !== null),
  /** How long its checks may take (ms). */
  checksMs: z.number(),
})
export type Question = z.output<typeof Question>

/** What it was judged to, or why it could not be judged. The first message only says that the policy was read. */
export const Verdict = z.union([
  z.object({ ready: z.literal(true) }),
  z.object({ outcome: z.string().refine(isOutcome) }),
  z.object({ reason: z.string() }),
])
export type Verdict = z.output<typeof Verdict>
