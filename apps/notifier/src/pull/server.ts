import { hash, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { eventTypes } from '@placeorder/events'
import { handleSocketErrors } from '@placeorder/telemetry'
import { z } from 'zod'
import type { Pull, PullAnswer } from './pull.ts'

export type PullServerOptions = {
  pull: Pick<Pull, 'page'>
  token: string
  onFault: (error: unknown, what: string) => void
}

/** A request has so long to arrive (ms); who pulls sends it at once. */
const REQUEST_MS_MAX = 10_000
const CONNECTIONS_MAX = 64

const LIMIT = { default: 100, max: 1_000 } as const

const list = <T extends string>(schema: z.ZodType<T, string>) =>
  z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(schema))
    .optional()

/** The parameters of `GET /events`. */
const Query = z.strictObject({
  after: z.string().optional(),
  since: z.iso
    .datetime({ offset: true, error: 'is not a time such as 2026-03-14T09:00:00Z' })
    .transform((text) => Date.parse(text))
    .optional(),
  types: list(z.enum(eventTypes)),
  merchants: list(z.string().min(1)),
  psps: list(z.string().min(1)),
  limit: z.coerce.number().int().min(1).max(LIMIT.max).default(LIMIT.default),
})

type Reply = { status: number; body: unknown; headers?: Record<string, string> }

/** Makes the server for those who pull: `GET /events`, behind a token. */
export function buildPullServer(options: PullServerOptions): Server {
  const server = createServer(
    { requestTimeout: REQUEST_MS_MAX, headersTimeout: REQUEST_MS_MAX },
    async (request, response) => {
      const { status, body, headers = {} } = await replyTo(request, options)
      const text = JSON.stringify(body)
      response.writeHead(status, { 'content-type': 'application/json; charset=UTF-8', ...headers })
      response.end(text)
    },
  )
  server.maxConnections = CONNECTIONS_MAX
  handleSocketErrors(server)
  return server
}

async function replyTo(request: IncomingMessage, options: PullServerOptions): Promise<Reply> {
  const { pull, token, onFault } = options
  const url = URL.parse(request.url ?? '', 'http://notifier')
  if (!isAuthorized(request.headers.authorization, token))
    return {
      status: 401,
      body: { error: 'send Authorization: Bearer and the EVENTS_TOKEN' },
      headers: { 'www-authenticate': 'Bearer' },
    }
  if (url?.pathname !== '/events') return { status: 404, body: { error: 'there is /events' } }
  if (request.method !== 'GET') return { status: 405, body: { error: 'use GET' } }
  const query = Query.safeParse(Object.fromEntries(url.searchParams))
  if (!query.success)
    return {
      status: 400,
      body: { error: query.error.issues.map((one) => `${one.path}: ${one.message}`).join('; ') },
    }
  const { after, since, limit, ...filter } = query.data
  try {
    return replyWith(await pull.page({ after, since, limit, filter }))
  } catch (error) {
    onFault(error, 'events could not be pulled')
    const headers = { 'retry-after': '1' }
    return { status: 503, body: { error: 'not now: try again with the same cursor' }, headers }
  }
}

function replyWith(answer: PullAnswer): Reply {
  if (answer.kind === 'refused') return { status: 400, body: { error: answer.reason } }
  if (answer.kind === 'gone')
    return { status: 410, body: { error: answer.reason, begin: answer.begin } }
  return { status: 200, body: { events: answer.events, next: answer.next } }
}

/** Compares digests, which have one length. */
const isAuthorized = (header: string | undefined, token: string): boolean =>
  timingSafeEqual(
    hash('sha256', header ?? '', 'buffer'),
    hash('sha256', `Bearer ${token}`, 'buffer'),
  )
