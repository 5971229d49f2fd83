import {
  archiveUrl,
  DATA_DIR,
  host,
  port,
  redisEnvironment,
  requestsKeepMonths,
} from '@placeorder/config'
import { z } from 'zod'

/** The default port and path of an ingress, which are also the simulator's. */
export const PORT = 3_000
export const PLACE_ORDER_PATH = '/aps/api/v1/payments/placeOrder'

/** The environment of the standalone app; all of it is passed on to the processes. */
export const StandaloneEnvironment = z.object({
  ...redisEnvironment,
  /** Without it, a Cluster or Sentinels a Redis is started. */
  REDIS_URL: redisEnvironment.REDIS_URL.unwrap().optional(),
  /** Without it, and with a Redis that is started, a PostgreSQL is started. */
  ARCHIVE_URL: archiveUrl.optional(),
  REQUESTS_KEEP_MONTHS: requestsKeepMonths,
  HOST: host.default('0.0.0.0'),
  PORT: port.default(PORT),
  /** The folder of keys, the servers' files and standalone.json. */
  DATA_DIR: z.string().min(1).default(DATA_DIR),
  PLACE_ORDER_PATH: z.string().default(PLACE_ORDER_PATH),
  TLS_CERT_FILE: z.string().optional(),
  TLS_CLIENT_CA_FILE: z.string().optional(),
  /** With `strict`, a Redis that is named must be durable. */
  DURABILITY: z.enum(['strict', 'relaxed'], 'must be strict or relaxed').default('strict'),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('warn'),
})
export type StandaloneEnvironment = z.output<typeof StandaloneEnvironment>
