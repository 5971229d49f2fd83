import {
  archiveUrl,
  boolean,
  durationMs,
  host,
  port,
  redisEnvironment,
  replicasMin,
  wholeNumber,
} from '@placeorder/config'
import { z } from 'zod'

/** The environment of a worker. docs/configuration.md describes each variable. */
export const WorkerEnvironment = z.object({
  ...redisEnvironment,
  REPLICAS_MIN: replicasMin,
  ARCHIVE_URL: archiveUrl.optional(),
  POLICY_FILE: z.string().min(1).default('config/policy.json'),
  CONCURRENCY: wholeNumber({ min: 1, max: 256 }).default(8),
  // Well below the minute within which an order must be decided after it was read as open.
  CHECKS_MS: durationMs({ min: 1, max: 30_000 }).default(1_000),
  DECIDE_WITHIN_MS: durationMs({ min: 1_000, max: 86_400_000 }).default(600_000),
  ADMIN_HOST: host.default('0.0.0.0'),
  ADMIN_PORT: port.default(9_101),
  DURABILITY: z.enum(['strict', 'relaxed'], 'must be strict or relaxed').default('strict'),
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url('must be a URL').optional(),
  // A shorter token can be guessed.
  ADMIN_TOKEN: z.string().min(16, 'must have 16 characters or more').optional(),
  BOARD_WRITES: boolean.default(false),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
})
export type WorkerEnvironment = z.output<typeof WorkerEnvironment>
