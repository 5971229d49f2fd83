import {
  archiveUrl,
  durationMs,
  host,
  list,
  port,
  redisEnvironment,
  replicasMin,
  wholeNumber,
} from '@placeorder/config'
import { z } from 'zod'
import { isSubnet, rangeNames } from './connection/addresses.ts'

/**
 * To the router, `:`, `*` and brackets are a pattern; and callers sign the path as sent, not what
 * `%` stands for.
 */
const Path = z
  .string()
  .regex(
    /^\/[\w.~/!$&'+,;=@-]*$/,
    'must be a path as callers sign it: / and then characters of a URL, except : * ( ) % ? #',
  )
const File = z.string().min(1)

const TrustedProxy = z.string().refine((text) => rangeNames.includes(text) || isSubnet(text), {
  error:
    'must be addresses or ranges such as 10.0.0.0/8, ' +
    `or ${rangeNames.join(', ')}, separated by commas`,
})

/** The environment of an ingress. docs/configuration.md describes each variable. */
export const IngressEnvironment = z
  .object({
    ...redisEnvironment,
    HOST: host.default('0.0.0.0'),
    PORT: port.default(3_000),
    ADMIN_HOST: host.default('0.0.0.0'),
    ADMIN_PORT: port.default(9_100),
    PLACE_ORDER_PATH: Path.default('/aps/api/v1/payments/placeOrder'),
    INQUIRY_ORDER_PATH: Path.default('/aps/api/v1/payments/inquiryOrder'),
    CLIENTS_FILE: File.default('config/clients.json'),
    SIGNING_KEY_FILE: File.default('.data/keys/acquirer.pem'),
    SIGNING_KEY_VERSION: z
      .string()
      .regex(/^\d{1,9}$/, 'must be a whole number')
      .default('1'),
    // Alipay+ times out after 5 s on most calls; a later answer reaches nobody.
    WAIT_MS: durationMs({ min: 50, max: 4_800 }).default(3_000),
    DRAIN_MS: durationMs({ max: 60_000 }).default(500),
    REQUEST_TIME_TOLERANCE_MS: durationMs().default(0),
    IN_FLIGHT_MAX: wholeNumber({ min: 1 }).default(2_000),
    OPEN_ORDERS_MAX: wholeNumber({ min: 1 }).default(100_000),
    REDIS_MEMORY_RESERVE_PERCENT: wholeNumber({ max: 50 }).default(5),
    CONNECTIONS_MAX: wholeNumber({ min: 1 }).default(5_000),
    // A caller with one connection for each order can fill IN_FLIGHT_MAX, and has some left.
    CONNECTIONS_PER_ADDRESS_MAX: wholeNumber({ min: 1 }).default(2_500),
    REPLICAS_MIN: replicasMin,
    DURABILITY: z.enum(['strict', 'relaxed'], 'must be strict or relaxed').default('strict'),
    ARCHIVE_URL: archiveUrl.optional(),
    ARCHIVE_READ_URL: archiveUrl.optional(),
    TRUST_PROXY: list.pipe(z.array(TrustedProxy)).default([]),
    OTEL_EXPORTER_OTLP_ENDPOINT: z.url('must be a URL').optional(),
    OTEL_TRACES_SAMPLER_ARG: z
      .string()
      .regex(/^(0|1|0?\.\d{1,9}|1\.0+)$/, 'must be a share from 0 to 1')
      .transform(Number)
      .default(1),
    TLS_CERT_FILE: File.optional(),
    TLS_KEY_FILE: File.optional(),
    TLS_CLIENT_CA_FILE: File.optional(),
    LOG_LEVEL: z
      .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
      .default('info'),
  })
  .refine((env) => (env.TLS_CERT_FILE === undefined) === (env.TLS_KEY_FILE === undefined), {
    path: ['TLS_CERT_FILE'],
    error: 'goes with TLS_KEY_FILE: set both, or neither',
  })
  .refine((env) => env.TLS_CLIENT_CA_FILE === undefined || env.TLS_CERT_FILE !== undefined, {
    path: ['TLS_CLIENT_CA_FILE'],
    error: 'needs TLS_CERT_FILE and TLS_KEY_FILE',
  })
  .refine((env) => env.ARCHIVE_READ_URL === undefined || env.ARCHIVE_URL !== undefined, {
    path: ['ARCHIVE_READ_URL'],
    error: 'needs ARCHIVE_URL, the database that it is a replica of',
  })
  .refine((env) => env.PLACE_ORDER_PATH !== env.INQUIRY_ORDER_PATH, {
    path: ['INQUIRY_ORDER_PATH'],
    error: 'must be another path than PLACE_ORDER_PATH',
  })
export type IngressEnvironment = z.output<typeof IngressEnvironment>
