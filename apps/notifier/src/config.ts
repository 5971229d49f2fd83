import {
  archiveUrl,
  host,
  port,
  redisEnvironment,
  replicasMin,
  wholeNumber,
} from '@placeorder/config'
import { z } from 'zod'

/** What a notifier reads from its environment. docs/configuration.md says what each is for. */
export const NotifierEnvironment = z.object({
  ...redisEnvironment,
  REPLICAS_MIN: replicasMin,
  ARCHIVE_URL: archiveUrl.optional(),
  EVENTS_FILE: z.string().min(1).default('config/events.json'),
  EVENTS_KEEP_DAYS: wholeNumber({ min: 1, max: 365 }).default(7),
  HOST: host.default('0.0.0.0'),
  EVENTS_PORT: port.default(9_104),
  EVENTS_TOKEN: z.string().min(16, 'has fewer than 16 characters').optional(),
  ADMIN_HOST: host.default('0.0.0.0'),
  ADMIN_PORT: port.default(9_103),
  DURABILITY: z.enum(['strict', 'relaxed'], 'must be strict or relaxed').default('strict'),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
})
