import { setTimeout as wait } from 'node:timers/promises'
import { watchRedis } from '@placeorder/archive'
import { addressOf, liveFile, readWithFaults, withAllFaults } from '@placeorder/config'
import { GroupWorker, namesOf, openWorkerStore } from '@placeorder/store'
import {
  beginStartup,
  durabilityCheck,
  openLog,
  openMetrics,
  openTracing,
  reportFaults,
  reportRequeued,
} from '@placeorder/telemetry'
import closeWithGrace from 'close-with-grace'
import { ClockWatch } from './clock-watch.ts'
import { WorkerEnvironment } from './config.ts'
import { IsolatedJudge } from './isolation/isolated-judge.ts'
import { LimitUseMetric } from './limit-use-metric.ts'
import { buildAdminServer, observe, reportChecks } from './observer.ts'
import { processGroup } from './process-group.ts'
import { keepRequeueing } from './requeue.ts'
import { keepResuming } from './resume.ts'
import { parseRulebook } from './rulebook.ts'

/**
 * On shutdown, a round of requeueing or resuming that waits for Redis is abandoned after this time
 * (ms): all of it may run again.
 */
const ROUND_MS_MAX = 500

const help = `npm run worker

Decides orders. It takes no arguments: docs/configuration.md lists the variables that configure it,
and .env.example has their defaults.
`

const { started } = beginStartup({ name: 'worker', help, args: process.argv.slice(2) })
const { read: env, faults } = readWithFaults(WorkerEnvironment, process.env)
const log = openLog({ name: 'worker', level: env.LOG_LEVEL, pretty: process.stdout.isTTY })
const metrics = openMetrics('worker')
const tracing = await openTracing('placeorder-worker', env.OTEL_EXPORTER_OTLP_ENDPOINT)
const logFaultyFile = (err: unknown) =>
  log.error({ err }, 'a changed file is faulty; the version before stays in force')
const checksObserver = reportChecks({ metrics, log })
const [rulebook, address] = await withAllFaults(
  [
    liveFile(
      env.POLICY_FILE,
      (text, path, read) => parseRulebook(text, path, checksObserver, read),
      (err) =>
        log.error({ err }, 'the changed policy is faulty; the version before stays in force'),
    ),
    Promise.try(() => addressOf(env, logFaultyFile)),
  ],
  faults,
)
process.on('SIGHUP', async () => {
  await rulebook.reload()
  log.info({ signal: 'SIGHUP' }, 'the policy was read again')
})
const onFault = reportFaults(log)
const store = await openWorkerStore({
  address,
  shards: env.SHARDS,
  replicasMin: env.REPLICAS_MIN,
  onFault,
})
const watched = watchRedis({
  url: env.ARCHIVE_URL,
  redisAge: store.redisAge,
  stops: 'no order is decided',
  log,
  onFault,
})
const limitUse = new LimitUseMetric(store.usage, metrics.limitUsed)
const observer = observe({ metrics, log, tracing, limitUse })
const isolated = new IsolatedJudge({ policyFile: env.POLICY_FILE, checksMs: env.CHECKS_MS })
const taker = new GroupWorker(
  address,
  async (group) => {
    await watched.passed(group.signal, group.shard)
    await processGroup(group, {
      store,
      rulebook: () => rulebook.current,
      judgeIsolated: (...args) => isolated.judge(...args),
      checksMs: env.CHECKS_MS,
      decideWithinMs: env.DECIDE_WITHIN_MS,
      observer,
    })
  },
  {
    shards: env.SHARDS,
    concurrency: env.CONCURRENCY,
    onLost: watched.lost,
    onError: (err) => onFault(err, 'taking groups from the queue failed; it is tried again'),
  },
)
const admin = buildAdminServer({
  host: env.ADMIN_HOST,
  port: env.ADMIN_PORT,
  metrics,
  redis: durabilityCheck(store.durability, env.DURABILITY, metrics, log),
  orders: store.orders,
  outbox: store.outbox,
  shards: env.SHARDS,
  taking: () => taker.isRunning,
  archive: watched.check,
  configuration: [rulebook],
})
if (env.ADMIN_TOKEN !== undefined) {
  const { addBoard } = await import('./board.ts') // Loaded only where the board is used.
  addBoard(admin, { queues: store.queues, token: env.ADMIN_TOKEN, writes: env.BOARD_WRITES })
}
const logRequeued = reportRequeued(metrics, log)
const ending = new AbortController()
const requeue = keepRequeueing(
  {
    store,
    clocks: new ClockWatch((fact, byMs) => log.warn({ byMs }, fact)),
    shards: env.SHARDS,
    passed: watched.passed,
    onRound: async (requeued) => {
      logRequeued(requeued.map(namesOf))
      await limitUse.refresh(rulebook.current.policy.dayOf(Date.now()))
    },
    onLateExpiries: (keys) =>
      log.warn(
        { keys },
        'the clock of Redis was set back: keys that would expire too late were given less time',
      ),
    onFault: (err) => onFault(err, 'a round of requeueing failed; the next one follows'),
  },
  ending.signal,
)
const resuming = keepResuming(
  {
    store,
    shards: env.SHARDS,
    passed: watched.passed,
    rulebook: () => rulebook.current,
    decideWithinMs: env.DECIDE_WITHIN_MS,
    onFault: (err) => onFault(err, 'resuming deferred orders failed; the next round follows'),
  },
  ending.signal,
)
const delay = env.CHECKS_MS + 3_000
closeWithGrace({ delay, logger: log, skip: ['SIGHUP'] }, async ({ err }) => {
  if (err) log.error({ err }, 'closing after an error')
  admin.drain()
  ending.abort()
  // Groups in flight are finished; what is not done in time is left to other workers.
  await taker.close(env.CHECKS_MS + 1_000)
  isolated.close()
  await Promise.race([Promise.all([requeue, resuming]), wait(ROUND_MS_MAX)])
  await watched.close()
  await store.close()
  await tracing.close()
  rulebook.close()
  await admin.close()
})
const at = await admin.listen()
started()
log.info({ shards: env.SHARDS, concurrency: env.CONCURRENCY, admin: at }, 'working')
