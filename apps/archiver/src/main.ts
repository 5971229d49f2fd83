import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { checkAtStart, openArchive } from '@placeorder/archive'
import { addressOf, readEnvironment } from '@placeorder/config'
import { openArchiverStore } from '@placeorder/store'
import {
  beginStartup,
  durabilityCheck,
  openLog,
  openMetrics,
  reportFaults,
} from '@placeorder/telemetry'
import closeWithGrace from 'close-with-grace'
import { Archiver } from './archiver.ts'
import { ArchivingEnvironment, keepMsOf } from './config.ts'
import { buildAdminServer, observe } from './observer.ts'

/** A batch in flight has this time (ms) to end: longer than PostgreSQL lets a statement take. */
const BATCH_MS_MAX = 13_000

const help = `npm run archiver

Copies concluded orders from Redis to the PostgreSQL at ARCHIVE_URL, once
npm run archive -- migrate has prepared both. With FORGET=true, Redis forgets them later. It takes
no arguments: docs/configuration.md lists the variables that configure it, and .env.example has
their defaults.
`

const { started } = beginStartup({ name: 'archiver', help, args: process.argv.slice(2) })
const env = readEnvironment(ArchivingEnvironment, process.env)
const keepMs = keepMsOf(env, process.env.TEST_KEEP_SECONDS)
const log = openLog({ name: 'archiver', level: env.LOG_LEVEL, pretty: process.stdout.isTTY })
const address = addressOf(env, (err) =>
  log.error({ err }, 'a changed file is faulty; the version before stays in force'),
)
const metrics = openMetrics('archiver')
process.on('SIGHUP', () =>
  log.info({ signal: 'SIGHUP' }, 'the files are read again for each new connection'),
)
const onFault = reportFaults(log)
const archive = openArchive({ url: env.ARCHIVE_URL, onFault })
await checkAtStart(archive, onFault)
const store = await openArchiverStore({
  address,
  shards: env.SHARDS,
  replicasMin: env.REPLICAS_MIN,
  onFault,
})
const archiver = new Archiver({
  store,
  archive,
  shards: env.SHARDS,
  consumer: randomUUID().slice(0, 8),
  observer: observe(metrics, log),
  onStopped: (shard, { kind, reason }, err) =>
    kind === 'failing'
      ? onFault(err, 'a batch could not be archived; it is tried again')
      : log.error({ shard, reason }, 'the archive is stopped: see the runbook'),
  keepMs,
  onNotForgetting: (_, __, err) => onFault(err, 'no order is forgotten; it is tried again'),
})
const admin = buildAdminServer({
  host: env.ADMIN_HOST,
  port: env.ADMIN_PORT,
  metrics,
  redis: durabilityCheck(store.durability, env.DURABILITY, metrics, log),
  store,
  shards: env.SHARDS,
  archivers: () => archiver.running,
  forgetters: () => archiver.forgetting,
  keepMs,
  notOn: () => archiver.notOn,
})
const ending = new AbortController()
const running = archiver.run(ending.signal)
const delay = BATCH_MS_MAX + 2_000
closeWithGrace({ delay, logger: log, skip: ['SIGHUP'] }, async ({ err }) => {
  if (err) log.error({ err }, 'closing after an error')
  admin.drain()
  ending.abort()
  // What is not committed by then is another archiver's.
  await Promise.race([running, wait(BATCH_MS_MAX)])
  await archive.close()
  await store.close()
  await admin.close()
})
const at = await admin.listen()
started()
log.info({ shards: env.SHARDS, forget: env.FORGET, admin: at }, 'archiving')
