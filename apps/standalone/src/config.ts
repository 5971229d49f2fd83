import { port, wholeNumber } from '@placeorder/config'
import { z } from 'zod'

/** What the standalone app reads from its environment; the rest goes through to ingress and worker. */
export const StandaloneEnvironment = z.object({
  PORT: port.default(3_000),
  REDIS_URL: z.string().optional(),
  SHARDS: wholeNumber({ min: 1, max: 1_024 }).default(1),
  LOG_LEVEL: z.string().default('warn'),
})
export type StandaloneEnvironment = z.output<typeof StandaloneEnvironment>
