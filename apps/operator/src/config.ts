import { archiveUrl, redisEnvironment, requestsKeepMonths } from '@placeorder/config'
import { z } from 'zod'

/**
 * What the operator's commands read from their environment. docs/configuration.md says what each is
 * for.
 */
export const OperatorEnvironment = z.object({
  ...redisEnvironment,
  ARCHIVE_URL: archiveUrl.optional(),
  EVENTS_FILE: z.string().min(1).default('config/events.json'),
  REQUESTS_KEEP_MONTHS: requestsKeepMonths,
})
