import type { Server } from 'node:http'
import Fastify, { type FastifyInstance } from 'fastify'
import { handleSocketErrors } from './handle-socket-errors.ts'
import type { Metrics } from './metrics.ts'

/** Why a process is not ready; undefined if it is. */
export type HealthCheck = () => Promise<string | undefined>

/**
 * Parts of a configuration that are read again when they change, with what is wrong with the newest
 * version; undefined while that is in force.
 */
export type Configuration = readonly { readonly fault: string | undefined }[]

export type AdminOptions = {
  host: string
  /** 0 means any free one. */
  port: number
  metrics: Metrics
  /** The checks that must pass for the process to be ready, by name. */
  checks: Record<string, HealthCheck>
  /** What a process cannot do although it is ready, by name. */
  notes?: Record<string, HealthCheck>
  /** New versions of it that are faulty are noted and counted. */
  configuration?: Configuration
  /**
   * Updates metrics that are read only on a scrape. Like a check it has one second; the scrape then
   * shows what is set by that time.
   */
  beforeScrape?: () => Promise<void>
}

/** The HTTP server for operators, on a port of its own: never on the public one. */
export type Admin = {
  /** Takes further routes until `listen`. */
  app: FastifyInstance
  /** Resolves with the origin it is bound to. */
  listen: () => Promise<string>
  /** From now on the process is not ready, so that load balancers send it no more requests. */
  drain: () => void
  close: () => Promise<void>
}

/** A check that takes longer than this (ms) counts as not ready. */
const CHECK_MS_MAX = 1_000

/**
 * Operators' clients send their request at once: after these times (ms) a connection without a
 * complete request is closed.
 */
const HEADERS_MS_MAX = 5_000
const REQUEST_MS_MAX = 10_000
/** How often Node looks for connections past these times (ms): by default only every 30 s. */
const CHECK_CONNECTIONS_MS = 1_000
/** Enough for scrapes, probes and the people who look at the board. */
const CONNECTIONS_MAX = 256

/** Why a process that is shutting down is not ready. */
const ending = { process: 'it is ending' }

/** Makes the admin server: `/livez`, `/readyz` with reasons, `/metrics`. */
export function buildAdmin({
  host,
  port,
  metrics,
  checks,
  notes: otherNotes = {},
  configuration = [],
  beforeScrape,
}: AdminOptions): Admin {
  const app = Fastify({
    logger: false,
    forceCloseConnections: true,
    requestTimeout: REQUEST_MS_MAX,
    // HTTP only: Node ignores an offer to upgrade, and closes a CONNECT.
    http: {
      headersTimeout: HEADERS_MS_MAX,
      connectionsCheckingInterval: CHECK_CONNECTIONS_MS,
      shouldUpgradeCallback: () => false,
    },
  })
  app.server.maxConnections = CONNECTIONS_MAX
  handleSocketErrors(app.server)
  const faults = () => configuration.flatMap(({ fault }) => fault ?? [])
  const notes = { configuration: async () => faults().join('; ') || undefined, ...otherNotes }
  let draining = false
  const pending = new Set<(reasons: Record<string, string>) => void>()
  app.get('/livez', async () => ({ status: 'live' }))
  app.get('/readyz', async (_request, reply) => {
    const answer = Promise.withResolvers<Record<string, string>>()
    pending.add(answer.resolve)
    if (draining) answer.resolve(ending)
    else void reasonsOf(checks).then(answer.resolve)
    const reasons = await answer.promise
    pending.delete(answer.resolve)
    const ready = Object.keys(reasons).length === 0
    const noted = draining ? {} : await reasonsOf(notes)
    return reply.code(ready ? 200 : 503).send({
      status: ready ? 'ready' : 'not ready',
      reasons,
      ...(Object.keys(noted).length > 0 ? { notes: noted } : {}),
    })
  })
  app.get('/metrics', async (_request, reply) => {
    metrics.configurationFaults.set(faults().length)
    await withinLimit(async () => beforeScrape?.().then(() => undefined))
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
      // They need not wait for a Redis that does not answer.
      for (const resolve of pending) resolve(ending)
    },
    close: () => app.close(),
  }
}

/** The origin of the bound address: Fastify would name 127.0.0.1 for all addresses. */
function originOf(bound: ReturnType<Server['address']>): string {
  if (bound === null || typeof bound === 'string') return `${bound}`
  const { address, family, port } = bound
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
}

async function reasonsOf(checks: Record<string, HealthCheck>): Promise<Record<string, string>> {
  const reasons = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => [name, await withinLimit(check)] as const),
  )
  return Object.fromEntries(
    reasons.flatMap(([name, reason]) => (reason === undefined ? [] : [[name, reason]])),
  )
}

async function withinLimit(check: HealthCheck): Promise<string | undefined> {
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
