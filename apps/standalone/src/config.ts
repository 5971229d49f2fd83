import { port, redisEnvironment } from '@placeorder/config'
import { z } from 'zod'

/** What the standalone app reads from its environment; the rest goes through to ingress and worker. */
export const StandaloneEnvironment = z.object({
  ...redisEnvironment,
  /** Without it, Cluster and Sentinels a Redis is started. */
  REDIS_URL: redisEnvironment.REDIS_URL.unwrap().optional(),
  PORT: port.default(3_000),
  LOG_LEVEL: z.string().default('warn'),
})
export type StandaloneEnvironment = z.output<typeof StandaloneEnvironment>
