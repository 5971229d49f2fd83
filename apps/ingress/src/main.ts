import './signing/signing-threads.ts'
import { setTimeout as wait } from 'node:timers/promises'
import { checkAtStart, watchRedis } from '@placeorder/archive'
import { addressOf, live, liveFile, readWithFaults, withAllFaults } from '@placeorder/config'
import { namesOf, openIngressStore, shardOf } from '@placeorder/store'
import {
  beginStartup,
  durabilityCheck,
  LogThrottle,
  openLog,
  openMetrics,
  openTracing,
  reportFaults,
  reportRequeued,
} from '@placeorder/telemetry'
import closeWithGrace from 'close-with-grace'
import { Admission } from './admission.ts'
import { parseClients } from './clients.ts'
import { IngressEnvironment } from './config.ts'
import { inRanges } from './connection/addresses.ts'
import { Connections } from './connection/connections.ts'
import { Exchanges } from './connection/exchanges.ts'
import { readAllSent } from './connection/raw-server.ts'
import { liveTls } from './connection/tls.ts'
import { Deadlines } from './deadlines.ts'
import { guard } from './guard.ts'
import { NewOrders } from './new-orders.ts'
import { buildAdminServer, observeAnswers } from './observer.ts'
import { openApiDocument } from './openapi/document.ts'
import { awayNote, filtersCheck, lookedUpMsMaxOf, openRecall } from './recall.ts'
import { buildServer } from './server.ts'
import { Signer } from './signing/signer.ts'
import { readSigningKey } from './signing/signing-key.ts'
import { SigningQueue } from './signing/signing-queue.ts'

/**
 * Orders in flight when the listener has closed may wait this much longer (ms); then they are
 * answered with what is known.
 */
const LAST_WAIT_MS = 1_000

/**
 * Then orders in flight are answered within this time (ms), if this process gets a processor. A
 * connection with no complete request may never have one, and must not keep the process from
 * exiting.
 */
const LAST_ANSWER_MS = 500

/**
 * Without a processor, complete requests are still answered while a caller may wait (ms after the
 * listener is closed): Alipay+ gives up after 8 s.
 */
const CALLER_MS_MAX = 8_000

/** How long closing may take once all is answered (ms). */
const CLOSE_MS_MAX = 1_500

/**
 * Connections that the kernel queues while we cannot run: the most that Linux allows by default.
 * Past Node's 511 it drops connections that the caller thinks are open, and the orders on them.
 */
const BACKLOG = 4_096

/** Connections refused for the same reason are logged once in this time (ms). */
const REFUSED_LOGGED_MS = 10_000

/** How long the start waits until Redis was compared with the archive (ms). */
const COMPARED_MS_MAX = 1_000

/**
 * The outcome must be known this many signatures before the answer is due: one that is being made,
 * and its own.
 */
const SIGNATURES_AHEAD = 2

const help = `npm run ingress

Answers Alipay+ over signed HTTP. It takes no arguments: docs/configuration.md lists the variables
that configure it, and .env.example has their defaults.
`

const { started } = beginStartup({ name: 'ingress', help, args: process.argv.slice(2) })
const { read: env, faults } = readWithFaults(IngressEnvironment, process.env)
const log = openLog({ name: 'ingress', level: env.LOG_LEVEL, pretty: process.stdout.isTTY })
const metrics = openMetrics('ingress', env.WAIT_MS)
const tracing = await openTracing(
  'placeorder-ingress',
  env.OTEL_EXPORTER_OTLP_ENDPOINT,
  env.OTEL_TRACES_SAMPLER_ARG,
)
const logFaultyFile = (err: unknown) =>
  log.error({ err }, 'a changed file is faulty; the version before stays in force')
const [clients, signingKey, tls, address] = await withAllFaults(
  [
    liveFile(env.CLIENTS_FILE, parseClients, logFaultyFile),
    live(
      (read) => readSigningKey(env.SIGNING_KEY_FILE, env.SIGNING_KEY_VERSION, read),
      logFaultyFile,
    ),
    liveTls(env, logFaultyFile),
    Promise.try(() => addressOf(env, logFaultyFile)),
  ],
  faults,
)
process.on('SIGHUP', async () => {
  await Promise.all([clients, signingKey, tls].map((file) => file?.reload()))
  log.info({ signal: 'SIGHUP' }, 'the files were read again')
})
const logRequeued = reportRequeued(metrics, log)
const onFault = reportFaults(log)
const archive =
  env.ARCHIVE_URL === undefined
    ? undefined
    : openRecall({ url: env.ARCHIVE_URL, readUrl: env.ARCHIVE_READ_URL, metrics, onFault })
if (archive !== undefined) await checkAtStart(archive, onFault)
const store = await openIngressStore({
  address,
  shards: env.SHARDS,
  replicasMin: env.REPLICAS_MIN,
  memoryReservePercent: env.REDIS_MEMORY_RESERVE_PERCENT,
  waitMs: env.WAIT_MS,
  ...(archive === undefined ? {} : { recall: archive.recall }),
  ...lookedUpMsMaxOf(process.env.TEST_KEEP_SECONDS),
  onFault,
  onGroup: (orders, claimMs) => {
    metrics.groupOrders.observe({ kind: 'intake' }, orders)
    metrics.redisRoundTrip.observe(claimMs / 1000)
  },
  onRequeued: (requeued) => logRequeued(requeued.map(namesOf)),
  onAnnounced: (ageMs) => metrics.stage('announce', ageMs / 1000),
})
const watched = watchRedis({
  url: env.ARCHIVE_URL,
  redisAge: store.redisAge,
  stops: 'no order is claimed, and none is answered',
  log,
  onFault,
})
const guarded = guard(store, (orderId) => watched.demandPassed(shardOf(orderId, env.SHARDS)))
const signatures = new SigningQueue(Math.max(1, Number(process.env.UV_THREADPOOL_SIZE) || 1))
const signer = new Signer(() => signingKey.current, signatures)
await signer.measure()
const admission = new Admission(
  { inFlightMax: env.IN_FLIGHT_MAX, openOrdersMax: env.OPEN_ORDERS_MAX, waitMs: env.WAIT_MS },
  () => store.intake.openOrders,
  () => signatures.paceMs,
  (clientId) => store.openShares.of(clientId),
)
const deadlines = new Deadlines()
const newOrders = new NewOrders({
  ...store,
  ...guarded,
  mode: env.DURABILITY,
  deadlines,
  waitMs: env.WAIT_MS,
  log,
})
const paths = { placeOrder: env.PLACE_ORDER_PATH, inquireOrder: env.INQUIRY_ORDER_PATH }
const admin = buildAdminServer({
  host: env.ADMIN_HOST,
  port: env.ADMIN_PORT,
  metrics,
  redis: durabilityCheck(store.durability, env.DURABILITY, metrics, log),
  filters: filtersCheck(store.filters, env.SHARDS),
  archive: watched.check,
  archiveAway: archive === undefined ? async () => undefined : awayNote(archive),
  signatures,
  admission,
  orders: store.orders,
  shards: env.SHARDS,
  configuration: [clients, signingKey, tls].filter((file) => file !== undefined),
  openApi: openApiDocument(paths),
})
const refusedConnections = new LogThrottle(REFUSED_LOGGED_MS)
const connections = new Connections(
  {
    max: env.CONNECTIONS_MAX,
    perAddressMax: env.CONNECTIONS_PER_ADDRESS_MAX,
    isProxy: inRanges(env.TRUST_PROXY),
  },
  (reason) => {
    const more = refusedConnections.due(reason)
    if (more !== undefined) log.warn({ reason, more }, 'a connection was refused')
  },
)
const exchanges = new Exchanges()
let draining = false
const app = buildServer({
  paths,
  clients: () => clients.current,
  signer,
  admission,
  newOrders,
  requestTimeToleranceMs: env.REQUEST_TIME_TOLERANCE_MS,
  use: {
    ...store,
    ...guarded,
    deadlines,
    get waitMs() {
      return Math.max(env.WAIT_MS - SIGNATURES_AHEAD * signatures.signMs, env.WAIT_MS / 2)
    },
    stage: metrics.stage,
    onFault: (orderId, err, what) => log.warn({ ...namesOf(orderId), err }, what),
  },
  log,
  onAnswer: observeAnswers(metrics, log),
  stage: metrics.stage,
  tracing,
  trustProxy: env.TRUST_PROXY,
  tls: tls?.current,
  connections,
  exchanges,
  draining: () => draining,
})
tls?.renew(app.server)
/** Ends what keeps the server from closing: first waits for outcomes, then connections. */
async function endConnections(): Promise<void> {
  const callersLeft = wait(CALLER_MS_MAX)
  await wait(LAST_WAIT_MS)
  deadlines.abortAll()
  await wait(LAST_ANSWER_MS)
  await readAllSent(app.server)
  await Promise.race([exchanges.answered(), callersLeft])
  connections.destroyAll()
}
const delay = env.DRAIN_MS + CALLER_MS_MAX + CLOSE_MS_MAX
closeWithGrace({ delay, logger: log, skip: ['SIGHUP'] }, async ({ err }) => {
  if (err) log.error({ err }, 'closing after an error')
  draining = true
  admin.drain()
  // Connections on their way still arrive, and kept-alive ones are asked to close.
  await wait(env.DRAIN_MS)
  await readAllSent(app.server)
  void endConnections()
  await app.close() // No new requests; those in flight still get their answer.
  admission.close()
  newOrders.close()
  await watched.close()
  await store.close()
  // Nobody waits for an answer any more.
  await Promise.race([archive?.close(), wait(LAST_ANSWER_MS)])
  await tracing.close()
  clients.close()
  signingKey.close()
  tls?.close()
  await admin.close()
})
await newOrders.checkRedis()
// One that is older is never passed: this process then says so, and answers U.
await watched.passed(AbortSignal.timeout(COMPARED_MS_MAX)).catch(() => {})
await app.listen({ port: env.PORT, host: env.HOST, backlog: BACKLOG })
const at = { address: app.server.address(), admin: await admin.listen() }
started()
log.info(at, 'listening')
