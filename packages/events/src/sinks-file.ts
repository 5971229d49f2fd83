import { parseJsonFile } from '@placeorder/config'
import { z } from 'zod'
import { eventTypes } from './event.ts'
import { urlFault } from './sinks/endpoint.ts'

/** A request to a webhook has so many events at most. */
export const WEBHOOK_BATCH_MAX = 100

/** A name is part of keys in Redis, and the label of metrics. */
const SinkName = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,40}$/, 'is not 1 to 40 letters, digits, _ and -')
  .refine((name) => name !== 'pull', 'is reserved for those who pull: take another')

const ids = z.array(z.string().min(1)).min(1).optional()

/** What all kinds of sinks have. */
const common = {
  name: SinkName,
  types: z.array(z.enum(eventTypes)).min(1).optional(),
  merchants: ids,
  psps: ids,
  full: z.boolean().default(false),
  /** Outcomes from this time on come out of the archive; without it, those from now on come. */
  from: z.iso.datetime({ offset: true }).optional(),
}

/** How many bytes a key of Standard Webhooks has. */
const SECRET_BYTES = { min: 24, max: 64 } as const

/** Whether this is a key to sign with, as Standard Webhooks writes it. */
function isSecret(text: string): boolean {
  const [, base64] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text) ?? []
  const { length } = Buffer.from(base64 ?? '', 'base64')
  return length >= SECRET_BYTES.min && length <= SECRET_BYTES.max
}

function isRedisUrl(text: string): boolean {
  const url = URL.parse(text)
  return url !== null && /^rediss?:$/.test(url.protocol) && url.hostname !== ''
}

const Webhook = z.strictObject({
  ...common,
  type: z.literal('webhook'),
  url: z.string(),
  secrets: z
    .array(z.string())
    .min(1)
    .max(2, 'has more than two: one is enough, but while rotating'),
  batch: z.int().min(1).max(WEBHOOK_BATCH_MAX).default(1),
  allowPrivate: z.boolean().default(false),
})

const RedisStream = z.strictObject({
  ...common,
  type: z.literal('redis-stream'),
  url: z.string(),
  stream: z.string().min(1).max(512),
  maxLen: z.int().min(1).default(1_000_000),
})

const Module = z.strictObject({
  ...common,
  type: z.literal('module'),
  module: z.string().min(1),
  batch: z.int().min(1).max(1_000).default(1),
})

/** One sink of `config/events.json`. */
export const SinkEntry = z.discriminatedUnion('type', [Webhook, RedisStream, Module])
export type SinkEntry = z.output<typeof SinkEntry>

const SinksFile = z.strictObject({
  sinks: z.array(SinkEntry).superRefine(
    (sinks, context) => {
      const before = new Set<string>()
      for (const [at, sink] of sinks.entries()) {
        const name = sink?.name
        if (before.has(name))
          context.addIssue({ code: 'custom', path: [at, 'name'], message: `${name} is used twice` })
        before.add(name)
      }
    },
    { when: ({ value }) => Array.isArray(value) },
  ),
})

/**
 * Why the URL or the secrets of a sink cannot be used, secrets unquoted. They are not faults of the
 * file: its other sinks deliver.
 */
export function faultsIn(entry: SinkEntry): string[] {
  if (entry.type === 'module') return []
  if (entry.type === 'redis-stream')
    return isRedisUrl(entry.url)
      ? []
      : ['url: is not redis://user:password@host:port, or rediss:// for TLS']
  const fault = urlFault(entry.url, entry.allowPrivate)
  const { min, max } = SECRET_BYTES
  return [
    ...(fault === undefined ? [] : [`url: ${fault}`]),
    ...entry.secrets.flatMap((secret, i) =>
      isSecret(secret)
        ? []
        : `secrets.${i}: is not whsec_ and the base64 of ${min} to ${max} random bytes: ` +
          'echo whsec_$(openssl rand -base64 32) makes one',
    ),
  ]
}

/**
 * Parses the text of `config/events.json`.
 *
 * @throws ConfigFault naming every fault, and no secret
 */
export async function parseSinks(text: string, path: string): Promise<SinkEntry[]> {
  return (await parseJsonFile(SinksFile, text, path)).sinks
}
