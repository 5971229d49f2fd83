import type { Facts } from '@placeorder/decision'
import { isOutcome } from '@placeorder/store'
import { z } from 'zod'

// The messages between a worker and its judging process. Both run the same version.

/** An order to judge. */
export const JudgeRequest = z.object({
  facts: z.custom<Facts>((facts) => typeof facts === 'object' && facts !== null),
  /** How long its checks may take (ms). */
  checksMs: z.number(),
})
export type JudgeRequest = z.output<typeof JudgeRequest>

/** The outcome, or why there is none. The first message only says that the policy was read. */
export const JudgeReply = z.union([
  z.object({ ready: z.literal(true) }),
  z.object({ outcome: z.string().refine(isOutcome) }),
  z.object({ reason: z.string() }),
])
export type JudgeReply = z.output<typeof JudgeReply>
