import type { Facts } from '@placeorder/decision'
import { isOutcome } from '@placeorder/store'
import { z } from 'zod'

// What a worker and the process that judges for it say to each other. Both are of one version.

/** An order to judge. */
export const JudgeRequest = z.object({
  facts: z.custom<Facts>((facts) => typeof facts === 'object' && facts !== null),
  /** How long its checks may take (ms). */
  checksMs: z.number(),
})
export type JudgeRequest = z.output<typeof JudgeRequest>

/** What it was judged to, or why it could not be judged. The first message only says that the policy was read. */
export const JudgeReply = z.union([
  z.object({ ready: z.literal(true) }),
  z.object({ outcome: z.string().refine(isOutcome) }),
  z.object({ reason: z.string() }),
])
export type JudgeReply = z.output<typeof JudgeReply>
