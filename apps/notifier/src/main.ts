import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { checkAtStart, openArchive, watchRedis } from '@placeorder/archive'
import { addressOf, liveFile, readWithFaults, withAllFaults } from '@placeorder/config'
import { openNotifierStore } from '@placeorder/store'
import {
  beginStartup,
  durabilityCheck,
  openLog,
  openMetrics,
  reportFaults,
} from '@placeorder/telemetry'
import closeWithGrace from 'close-with-grace'
import { Backlog } from './backlog.ts'
import { NotifierEnvironment } from './config.ts'
import { Notifier } from './notifier.ts'
import { buildAdminServer, observe } from './observer.ts'
import { Outcomes } from './outcomes.ts'
import { Pull } from './pull/pull.ts'
import { buildPullServer } from './pull/server.ts'
import { parseSinkFile } from './sink-file.ts'

// Names of endpoints are resolved in these threads: one that does not resolve must not delay all.
process.env.UV_THREADPOOL_SIZE ??= '16'

/** What is on its way has this time (ms) to end: longer than one sending may take. */
const SENDING_MS_MAX = 16_000

const DAY_MS = 86_400_000

const help = `npm run notifier

Delivers the outcome of every order to the sinks in EVENTS_FILE (config/events.json). It takes no
arguments: docs/configuration.md lists the variables that configure it, and .env.example has their
defaults.
`

const { started } = beginStartup({ name: 'notifier', help, args: process.argv.slice(2) })
const { read: env, faults } = readWithFaults(NotifierEnvironment, process.env)
const log = openLog({ name: 'notifier', level: env.LOG_LEVEL, pretty: process.stdout.isTTY })
const metrics = openMetrics('notifier')
const onFault = reportFaults(log)
const logFaultyFile = (err: unknown) =>
  log.error({ err }, 'a changed file is faulty; the version before stays in force')
const [sinks, address] = await withAllFaults(
  [
    liveFile(
      env.EVENTS_FILE,
      (...file) => parseSinkFile(...file, { hasArchive: env.ARCHIVE_URL !== undefined }),
      (err) =>
        log.error({ err }, 'the changed sinks are faulty; the version before stays in force'),
    ),
    Promise.try(() => addressOf(env, logFaultyFile)),
  ],
  faults,
)
process.on('SIGHUP', async () => {
  await sinks.reload()
  log.info({ signal: 'SIGHUP' }, 'the sinks were read again')
})
const archive =
  env.ARCHIVE_URL === undefined ? undefined : openArchive({ url: env.ARCHIVE_URL, onFault })
if (archive !== undefined) await checkAtStart(archive, onFault)
const store = await openNotifierStore({
  address,
  shards: env.SHARDS,
  replicasMin: env.REPLICAS_MIN,
  onFault,
})
const ending = new AbortController()
const watched = watchRedis({
  url: env.ARCHIVE_URL,
  redisAge: store.redisAge,
  stops: 'no event is delivered',
  log,
  onFault,
})
const outcomes = new Outcomes({ store, archive })
const keepMs = env.EVENTS_KEEP_DAYS * DAY_MS
const notifier = new Notifier({
  store,
  outcomes,
  passed: watched.passed,
  backlog: archive && new Backlog({ store, archive, shards: env.SHARDS }),
  shards: env.SHARDS,
  consumer: randomUUID().slice(0, 8),
  observer: observe({ metrics, log, onFault }),
  configured: () => sinks.current,
  keepMs,
})
const admin = buildAdminServer({
  host: env.ADMIN_HOST,
  port: env.ADMIN_PORT,
  metrics,
  redis: durabilityCheck(store.durability, env.DURABILITY, metrics, log),
  archive: watched.check,
  sinks,
  serves: env.EVENTS_TOKEN !== undefined,
  store,
  shards: env.SHARDS,
  keepMs,
  runners: () => notifier.runners,
})
const server = await openPullServer(env.EVENTS_TOKEN)
const running = notifier.run(ending.signal)
const delay = SENDING_MS_MAX + 2_000
closeWithGrace({ delay, logger: log, skip: ['SIGHUP'] }, async ({ err }) => {
  if (err) log.error({ err }, 'closing after an error')
  admin.drain()
  ending.abort()
  server?.close()
  // What is not delivered by then is another notifier's.
  await Promise.race([running, wait(SENDING_MS_MAX)])
  sinks.close()
  await watched.close()
  await archive?.close()
  await store.close()
  await admin.close()
})
const at = await admin.listen()
started()
const pull = server?.address() ?? undefined
log.info({ shards: env.SHARDS, sinks: sinks.current.length, admin: at, pull }, 'notifying')

/** The server for those who pull; none without a token. */
async function openPullServer(token: string | undefined) {
  if (token === undefined) return undefined
  const { HOST: host, EVENTS_PORT: port, SHARDS: shards } = env
  const pulling = new Pull({
    store,
    outcomes,
    archive,
    shards,
    demandPassed: watched.demandPassed,
  })
  await pulling
    .open()
    .catch((error) => onFault(error, 'nothing is kept for those who pull; their calls try again'))
  const opened = buildPullServer({ pull: pulling, token, onFault }).listen({ host, port })
  await once(opened, 'listening')
  return opened
}
