import { z } from 'zod'
import { boolean, list, wholeNumber } from './pieces.ts'

const RedisUrl = z.url({
  protocol: /^rediss?$/,
  error: 'must be redis://host:port or rediss://host:port, several between commas for a Cluster',
})

/** Where Redis is, for every program that uses it. */
export const redisEnvironment = {
  REDIS_URL: list.pipe(z.array(RedisUrl).min(1)).default(['redis://127.0.0.1:6379']),
  REDIS_CLUSTER: boolean.default(false),
  REDIS_SENTINELS: list
    .pipe(
      z.array(z.string().regex(/^[^\s:]+:\d{1,5}$/, 'must be host:port, several between commas')),
    )
    .default([]),
  REDIS_SENTINEL_NAME: z.string().min(1).default('mymaster'),
  SHARDS: wholeNumber({ min: 1, max: 1_024 }).default(1),
}

const RedisEnvironment = z.object(redisEnvironment)

/** The same as an address. */
export function addressOf(env: z.output<typeof RedisEnvironment>): {
  urls: string[]
  cluster: boolean
  sentinels: { host: string; port: number }[]
  sentinelName: string
} {
  return {
    urls: env.REDIS_URL,
    cluster: env.REDIS_CLUSTER,
    sentinels: env.REDIS_SENTINELS.map((address) => {
      const at = address.lastIndexOf(':')
      return { host: address.slice(0, at), port: Number(address.slice(at + 1)) }
    }),
    sentinelName: env.REDIS_SENTINEL_NAME,
  }
}
