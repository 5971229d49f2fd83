import {
  archiveUrl,
  ConfigFault,
  host,
  port,
  redisEnvironment,
  replicasMin,
} from '@placeorder/config'
import { z } from 'zod'

/** What an archiver reads from its environment. docs/configuration.md says what each is for. */
export const ArchiverEnvironment = z.object({
  ...redisEnvironment,
  REPLICAS_MIN: replicasMin,
  ARCHIVE_URL: archiveUrl.optional(),
  ADMIN_HOST: host.default('0.0.0.0'),
  ADMIN_PORT: port.default(9_102),
  DURABILITY: z.enum(['strict', 'relaxed'], 'must be strict or relaxed').default('strict'),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
})
type ArchiverEnvironment = z.output<typeof ArchiverEnvironment>

/**
 * Where the archive is, without which an archiver has nothing to do.
 *
 * @throws ConfigFault
 */
export function archiveOf({ ARCHIVE_URL }: ArchiverEnvironment): string {
  if (ARCHIVE_URL === undefined)
    throw new ConfigFault([
      'ARCHIVE_URL: is not set: name the PostgreSQL that orders are copied to',
    ])
  return ARCHIVE_URL
}
