import { z } from 'zod'
import { ConfigFault, configFaults } from './environment.ts'
import { boolean, durationMs, hostAndPort, list, wholeNumber } from './fields.ts'
import { type LiveRedisTls, liveRedisTls, redisTlsFiles } from './redis-tls.ts'

const shape =
  'must be redis://host:port or rediss://host:port, an IPv6 address in brackets; ' +
  'for a Cluster, several separated by commas'
const encoded =
  'percent-encode everything in user and password that is not a letter or digit: ' +
  '% is %25, @ is %40, / is %2F, # is %23, a comma is %2C'

/** What is wrong with a URL. It quotes nothing of the URL, which may be a secret. */
function urlFault(text: string): string | undefined {
  const url = URL.parse(text)
  if (url === null || !/^rediss?:$/.test(url.protocol) || url.hostname === '')
    return `${shape}; ${encoded}`
  if (url.search !== '' || url.hash !== '' || !/^\/?\d*$/.test(url.pathname))
    return `has more after host and port than the number of a database; ${encoded}`
  return [url.username, url.password].every(isEncoded)
    ? undefined
    : `has a % that encodes nothing; ${encoded}`
}

/** Whether a part of a URL can be decoded. */
function isEncoded(part: string): boolean {
  try {
    decodeURIComponent(part)
    return true
  } catch {
    return false
  }
}

const RedisUrl = z.string().superRefine((text, context) => {
  const message = urlFault(text)
  if (message !== undefined) context.addIssue({ code: 'custom', message })
})
const File = z.string().min(1)

/** The variables that say where Redis is, for every program that uses it. */
export const redisEnvironment = {
  REDIS_URL: list.pipe(z.array(RedisUrl).min(1)).default(['redis://127.0.0.1:6379']),
  REDIS_USERNAME: z.string().min(1).optional(),
  REDIS_PASSWORD: z.string().min(1).optional(),
  REDIS_CLUSTER: boolean.default(false),
  REDIS_SENTINELS: list.pipe(z.array(hostAndPort)).default([]),
  REDIS_SENTINEL_NAME: z.string().min(1).default('mymaster'),
  REDIS_SENTINEL_USERNAME: z.string().min(1).optional(),
  REDIS_SENTINEL_PASSWORD: z.string().min(1).optional(),
  REDIS_SENTINEL_TLS: boolean.optional(),
  REDIS_TLS_CA_FILE: File.optional(),
  REDIS_TLS_CERT_FILE: File.optional(),
  REDIS_TLS_KEY_FILE: File.optional(),
  REDIS_HEARTBEAT_MS: durationMs({ min: 500, max: 60_000 }).default(2_500),
  SHARDS: wholeNumber({ min: 1, max: 1_024 }).default(1),
}

/**
 * REPLICAS_MIN: how many replicas must have an outcome, and what it was decided by, before it is
 * answered.
 */
export const replicasMin = wholeNumber({ max: 10 }).default(0)

const RedisEnvironment = z.object(redisEnvironment)
type RedisEnvironment = z.output<typeof RedisEnvironment>

/**
 * Makes these variables an address, with the contents of the files they name. A file that is faulty
 * when it has changed is reported to `onFault`, and the version before stays in force.
 *
 * @throws ConfigFault naming every variable that contradicts another, and every file that cannot be
 * used
 */
export function addressOf(
  env: RedisEnvironment,
  onFault: (error: unknown) => void = () => {},
): {
  urls: string[]
  cluster: boolean
  sentinels: { host: string; port: number }[]
  sentinelName: string
  sentinelUsername: string | undefined
  sentinelPassword: string | undefined
  sentinelTls: boolean | undefined
  heartbeatMs: number
  tls: LiveRedisTls | undefined
} {
  const faults = contradictionsOf(env)
  let tls: LiveRedisTls | undefined
  try {
    tls = liveRedisTls(env, onFault)
  } catch (error) {
    faults.push(...configFaults(error))
  }
  if (faults.length > 0) throw new ConfigFault(faults)
  return {
    urls: env.REDIS_URL.map((url) => withLogin(url, env)),
    cluster: env.REDIS_CLUSTER,
    sentinels: env.REDIS_SENTINELS,
    sentinelName: env.REDIS_SENTINEL_NAME,
    sentinelUsername: env.REDIS_SENTINEL_USERNAME,
    sentinelPassword: env.REDIS_SENTINEL_PASSWORD,
    sentinelTls: env.REDIS_SENTINEL_TLS,
    heartbeatMs: env.REDIS_HEARTBEAT_MS,
    tls,
  }
}

/**
 * Adds REDIS_USERNAME and REDIS_PASSWORD, which are not percent-encoded; of a login, what the URL
 * has stays.
 */
function withLogin(text: string, { REDIS_USERNAME, REDIS_PASSWORD }: RedisEnvironment): string {
  const url = new URL(text)
  if (REDIS_PASSWORD === undefined || url.password !== '') return text
  if (url.username === '') url.username = encodeURIComponent(REDIS_USERNAME ?? '')
  url.password = encodeURIComponent(REDIS_PASSWORD)
  return url.href
}

const hasTls = ({ REDIS_URL }: RedisEnvironment) =>
  REDIS_URL.some((url) => url.startsWith('rediss:'))

/** Settings that would have no effect: above all TLS, without which a password is sent in clear. */
function contradictionsOf(env: RedisEnvironment): string[] {
  const faults: string[] = []
  const tls = hasTls(env)
  if (tls && env.REDIS_URL.some((url) => !url.startsWith('rediss:')))
    faults.push('REDIS_URL: mixes redis:// and rediss://: write rediss:// in all, or in none')
  const usesTls = tls || env.REDIS_SENTINEL_TLS === true
  for (const name of redisTlsFiles)
    if (env[name] !== undefined && !usesTls)
      faults.push(`${name}: is set, but REDIS_URL does not use TLS: write rediss:// there`)
  if ((env.REDIS_TLS_CERT_FILE === undefined) !== (env.REDIS_TLS_KEY_FILE === undefined))
    faults.push('REDIS_TLS_CERT_FILE: goes with REDIS_TLS_KEY_FILE: set both, or neither')
  if (env.REDIS_USERNAME !== undefined && env.REDIS_PASSWORD === undefined)
    faults.push('REDIS_USERNAME: needs REDIS_PASSWORD')
  if (env.REDIS_SENTINELS.length === 0) return [...faults, ...withoutSentinels(env)]
  if (env.REDIS_CLUSTER || env.REDIS_URL.length > 1)
    faults.push('REDIS_SENTINELS: does not go with a Cluster: name one URL, without REDIS_CLUSTER')
  if (env.REDIS_SENTINEL_USERNAME !== undefined && env.REDIS_SENTINEL_PASSWORD === undefined)
    faults.push('REDIS_SENTINEL_USERNAME: needs REDIS_SENTINEL_PASSWORD')
  return faults
}

const withoutSentinels = (env: RedisEnvironment): string[] =>
  (['REDIS_SENTINEL_USERNAME', 'REDIS_SENTINEL_PASSWORD', 'REDIS_SENTINEL_TLS'] as const).flatMap(
    (name) => (env[name] ? [`${name}: is set, but REDIS_SENTINELS is not`] : []),
  )
