import type { Server } from 'node:http'
import Fastify, { type FastifyInstance } from 'fastify'
import { hearSocketErrors } from './handle-socket-errors.ts'
import type { Metrics } from './metrics.ts'

/** Why a process is not ready; undefined: it is. */
export type HealthCheck = () => Promise<string | undefined>

export type AdminOptions = {
  host: string
  /** 0 takes a free one. */
  port: number
  metrics: Metrics
  /** What readiness depends on, by name. */
  checks: Record<string, HealthCheck>
  /** Reads what is measured only when somebody looks. Like a check it has a second; what it has set by then is shown. */
  beforeScrape?: () => Promise<void>
}

/** What an operator reaches of a process, on a port of its own: never on the public one. */
export type Admin = {
  /** For further routes, before `listen`. */
  app: FastifyInstance
  /** Resolves with the origin that was bound. */
  listen: () => Promise<string>
  /** From now on the process is not ready: who balances load sends no more. */
  drain: () => void
  close: () => Promise<void>
}

/** A check that does not answer within this time (ms) has answered: not ready. */
const CHECK_MS_MAX = 1_000

/** Who asks does so at once: past these times (ms) a connection is closed that has brought no whole request. */
const HEADERS_MS_MAX = 5_000
const REQUEST_MS_MAX = 10_000
/** A scrape and a probe or two are open at a time, and those who look at the board. */
const CONNECTIONS_MAX = 256

/** Why a process that is to end is not ready. */
const ending = { process: 'it is ending' }

/** Makes the admin server: `/livez`, `/readyz` with reasons, `/metrics`. */
export function buildAdmin({ host, port, metrics, checks, beforeScrape }: AdminOptions): Admin {
  const app = Fastify({
    logger: false,
    forceCloseConnections: true,
    requestTimeout: REQUEST_MS_MAX,
    // No protocol is spoken here but HTTP: Node answers an upgrade as if it were not there, and closes a CONNECT.
    http: { headersTimeout: HEADERS_MS_MAX, shouldUpgradeCallback: () => false },
  })
  app.server.maxConnections = CONNECTIONS_MAX
  hearSocketErrors(app.server)
  let draining = false
  const asking = new Set<(reasons: Record<string, string>) => void>()
  app.get('/livez', async () => ({ status: 'live' }))
  app.get('/readyz', async (_request, reply) => {
    const told = Promise.withResolvers<Record<string, string>>()
    asking.add(told.resolve)
    if (draining) told.resolve(ending)
    else void reasonsOf(checks).then(told.resolve)
    const reasons = await told.promise
    asking.delete(told.resolve)
    const ready = Object.keys(reasons).length === 0
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ready' : 'not ready', reasons })
  })
  app.get('/metrics', async (_request, reply) => {
    await inTime(async () => beforeScrape?.().then(() => undefined))
    return reply.type(metrics.registry.contentType).send(await metrics.registry.metrics())
  })
  return {
    app,
    listen: async () => {
      await app.listen({ host, port })
      return originOf(app.server.address())
    },
    drain: () => {
      draining = true
      for (const tell of asking) tell(ending) // They need not wait for a silent Redis any more.
    },
    close: () => app.close(),
  }
}

/** The address that was bound: Fastify would name 127.0.0.1 for all of them. */
function originOf(bound: ReturnType<Server['address']>): string {
  if (bound === null || typeof bound === 'string') return `${bound}`
  const { address, family, port } = bound
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
}

async function reasonsOf(checks: Record<string, HealthCheck>): Promise<Record<string, string>> {
  const reasons = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => [name, await inTime(check)] as const),
  )
  return Object.fromEntries(
    reasons.flatMap(([name, reason]) => (reason === undefined ? [] : [[name, reason]])),
  )
}

async function inTime(check: HealthCheck): Promise<string | undefined> {
  const late = Promise.withResolvers<string>()
  const timer = setTimeout(() => late.resolve(`no answer within ${CHECK_MS_MAX} ms`), CHECK_MS_MAX)
  try {
    return await Promise.race([check(), late.promise])
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    clearTimeout(timer)
  }
}
