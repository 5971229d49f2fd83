import { isResultCode, statusOf } from '@placeorder/protocol'
import {
  type Admin,
  type BacklogSource,
  buildAdmin,
  type Configuration,
  type HealthCheck,
  type Logger,
  LogThrottle,
  type Metrics,
  readBacklog,
} from '@placeorder/telemetry'
import type { Admission } from './admission.ts'
import { KnownSources } from './connection/known-sources.ts'
import type { SentAnswer } from './reply.ts'
import type { SigningQueue } from './signing/signing-queue.ts'

/** Codes for a wrong signature or key of a caller; an alert fires when a client has many. */
const signatureCodes: readonly string[] = ['INVALID_SIGNATURE', 'KEY_NOT_FOUND']

/** Repeated refusals share a line in this time (ms): one for each would be a load. */
const REPEATED_LOGGED_MS = 1_000

/**
 * Returns a function that counts an answer and logs it in one line, with its order's paymentId.
 * Inquiries are logged at debug level: they are many and change nothing. Refusals of an overloading
 * client share a line, and so do refusals of unauthenticated callers with the same code; the line
 * has how many `more` there were since the last.
 */
export function observeAnswers(
  metrics: Metrics,
  log: Pick<Logger, 'info' | 'debug'>,
): (answered: SentAnswer) => void {
  const repeated = new LogThrottle(REPEATED_LOGGED_MS)
  const bound = new Map<string, ReturnType<typeof bind>>()
  const bind = (endpoint: string, code: string) => ({
    answers: metrics.answers.labels({
      endpoint,
      code,
      status: isResultCode(code) ? statusOf[code] : 'F',
    }),
    seconds: metrics.answerSeconds.labels({ endpoint }),
  })
  const sources = new KnownSources()
  return ({ endpoint, code, clientId, verified, address, paymentId, reason, seconds }) => {
    const name = `${endpoint} ${code}`
    // Looking labels up costs more than counting.
    const answered = bound.get(name) ?? bind(endpoint, code)
    bound.set(name, answered)
    answered.answers.inc()
    answered.seconds.observe(seconds)
    if (clientId !== undefined && verified) {
      metrics.verified.inc({ client: clientId })
      sources.remember(clientId, address)
    } else if (clientId !== undefined && signatureCodes.includes(code))
      metrics.signatureFailures.inc({
        client: clientId,
        source: sources.sourceOf(clientId, address()),
      })
    const shared = verified ? sharedByClient(code, clientId) : `stranger ${code}`
    const more = shared === undefined ? undefined : repeated.due(shared)
    if (shared !== undefined && more === undefined) return
    const line = { paymentId, code, clientId, ms: Math.round(seconds * 1000) }
    if (reason !== undefined) log.info({ ...line, endpoint, reason, more }, 'refused a request')
    else if (endpoint === 'inquire') log.debug(line, 'answered an inquiry')
    else log.info(line, 'answered')
  }
}

/**
 * The key by which refusals of an overloading client share a line; undefined for answers that have
 * a line of their own.
 */
const sharedByClient = (code: string, clientId: string | undefined): string | undefined =>
  code === 'REQUEST_TRAFFIC_EXCEED_LIMIT' ? `client ${clientId}` : undefined

type AdminServerDeps = {
  host: string
  port: number
  metrics: Metrics
  redis: HealthCheck
  filters: HealthCheck
  /** Whether the archive is known, and Redis is not older than it says. */
  archive: HealthCheck
  /** What cannot be done while the archive is away. */
  archiveAway: HealthCheck
  signatures: Pick<SigningQueue, 'size'>
  admission: Pick<Admission, 'inFlight'>
  orders: BacklogSource
  shards: number
  /** The clients, the key and the certificates. */
  configuration: Configuration
  /** The OpenAPI document. */
  openApi: object
}

/** The ingress's admin server, with gauges that are read on a scrape. */
export function buildAdminServer({
  host,
  port,
  metrics,
  redis,
  filters,
  archive,
  archiveAway,
  configuration,
  openApi,
  ...sources
}: AdminServerDeps): Admin {
  const beforeScrape = async () => {
    metrics.signing.set(sources.signatures.size)
    metrics.ordersInFlight.set(sources.admission.inFlight)
    await Promise.all([redis(), readBacklog(sources.orders, sources.shards, metrics)])
  }
  const admin = buildAdmin({
    host,
    port,
    metrics,
    checks: { redis, filters, archive },
    notes: { archive: archiveAway },
    configuration,
    beforeScrape,
  })
  admin.app.get('/openapi.json', async () => openApi)
  return admin
}
