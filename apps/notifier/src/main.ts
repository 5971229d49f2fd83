import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { openArchive } from '@placeorder/archive'
import { addressOf, liveFile, readEnvironment, withAllFaults } from '@placeorder/config'
import { openNotifierStore } from '@placeorder/store'
import {
  beginStartup,
  durabilityCheck,
  openLog,
  openMetrics,
  reportFaults,
} from '@placeorder/telemetry'
import closeWithGrace from 'close-with-grace'
import { NotifierEnvironment } from './config.ts'
import { Notifier } from './notifier.ts'
import { buildAdminServer, observe } from './observer.ts'
import { Outcomes } from './outcomes.ts'
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
const env = readEnvironment(NotifierEnvironment, process.env)
const log = openLog({ name: 'notifier', level: env.LOG_LEVEL, pretty: process.stdout.isTTY })
const metrics = openMetrics('notifier')
const onFault = reportFaults(log)
const logFaultyFile = (err: unknown) =>
  log.error({ err }, 'a changed file is faulty; the version before stays in force')
const [sinks, address] = await withAllFaults([
  liveFile(env.EVENTS_FILE, parseSinkFile, (err) =>
    log.error({ err }, 'the changed sinks are faulty; the version before stays in force'),
  ),
  Promise.try(() => addressOf(env, logFaultyFile)),
])
process.on('SIGHUP', async () => {
  await sinks.reload()
  log.info({ signal: 'SIGHUP' }, 'the sinks were read again')
})
const archive =
  env.ARCHIVE_URL === undefined ? undefined : openArchive({ url: env.ARCHIVE_URL, onFault })
const store = await openNotifierStore({
  address,
  shards: env.SHARDS,
  replicasMin: env.REPLICAS_MIN,
  onFault,
})
const keepMs = env.EVENTS_KEEP_DAYS * DAY_MS
const notifier = new Notifier({
  store,
  outcomes: new Outcomes({ store, archive }),
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
  store,
  shards: env.SHARDS,
  keepMs,
  runners: () => notifier.runners,
})
const ending = new AbortController()
const running = notifier.run(ending.signal)
const delay = SENDING_MS_MAX + 2_000
closeWithGrace({ delay, logger: log, skip: ['SIGHUP'] }, async ({ err }) => {
  if (err) log.error({ err }, 'closing after an error')
  admin.drain()
  ending.abort()
  // What is not delivered by then is another notifier's.
  await Promise.race([running, wait(SENDING_MS_MAX)])
  sinks.close()
  await archive?.close()
  await store.close()
  await admin.close()
})
const at = await admin.listen()
started()
log.info({ shards: env.SHARDS, sinks: sinks.current.length, admin: at }, 'notifying')
