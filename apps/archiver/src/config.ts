import {
  archiveUrl,
  boolean,
  host,
  port,
  redisEnvironment,
  replicasMin,
  wholeNumber,
} from '@placeorder/config'
import { z } from 'zod'

/** What an archiver reads from its environment. docs/configuration.md says what each is for. */
export const ArchiverEnvironment = z.object({
  ...redisEnvironment,
  REPLICAS_MIN: replicasMin,
  ARCHIVE_URL: archiveUrl.optional(),
  FORGET: boolean.default(false),
  // A claim that asks the archive first is refused after a minute: nothing may be archived and
  // forgotten meanwhile.
  KEEP_SECONDS: wholeNumber({ min: 120, max: 315_360_000 }).default(86_400),
  ADMIN_HOST: host.default('0.0.0.0'),
  ADMIN_PORT: port.default(9_102),
  DURABILITY: z.enum(['strict', 'relaxed'], 'must be strict or relaxed').default('strict'),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
})

/** The same where the archive is named: without one an archiver has nothing to do. */
export const ArchivingEnvironment = ArchiverEnvironment.extend({ ARCHIVE_URL: archiveUrl })

/**
 * How long orders stay in Redis (ms); undefined if they are not forgotten. `forTests` has a number
 * of seconds that may be too few: then a repeat that is on its way may be accepted as a new order.
 */
export function keepMsOf(
  { FORGET, KEEP_SECONDS }: z.output<typeof ArchiverEnvironment>,
  forTests: string | undefined,
): number | undefined {
  return FORGET ? 1_000 * Number(forTests ?? KEEP_SECONDS) : undefined
}
