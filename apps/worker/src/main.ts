import { addressOf, liveFile, readEnvironment } from '@placeorder/config'
import { GroupTaker, openWorkerStore } from '@placeorder/store'
import { openLog } from '@placeorder/telemetry'
import closeWithGrace from 'close-with-grace'
import { WorkerEnvironment } from './config.ts'
import { keepMending } from './mend.ts'
import { processGroup } from './process-group.ts'
import { parseRulebook } from './rulebook.ts'

const env = readEnvironment(WorkerEnvironment, process.env)
const log = openLog({ name: 'worker', level: env.LOG_LEVEL })
const rulebook = await liveFile(env.POLICY_FILE, parseRulebook, (err) =>
  log.error({ err }, 'the changed policy is broken; the version before stays in force'),
)
const address = addressOf(env)
const onFault = (err: unknown, what: string) => log.warn({ err }, what)
const store = await openWorkerStore({ address, shards: env.SHARDS, onFault })
const taker = new GroupTaker(
  address,
  (group) =>
    processGroup(group, {
      store,
      rulebook: () => rulebook.current,
      checksMs: env.CHECKS_MS,
      decideWithinMs: env.DECIDE_WITHIN_MS,
      seen: {
        concluded: (record, outcome) => log.info({ paymentId: record.order.paymentId, outcome }, 'concluded'),
        undecided: (paymentId, err) =>
          log.warn({ paymentId, err }, 'cannot be decided now, is tried again later'),
        gaveUp: (record, err) => log.error({ paymentId: record.order.paymentId, err }, 'gave up'),
      },
    }),
  {
    shards: env.SHARDS,
    concurrency: env.CONCURRENCY,
    onError: (err) => onFault(err, 'taking groups failed; going on'),
  },
)
const ending = new AbortController()
const mending = keepMending(
  {
    store,
    shards: env.SHARDS,
    onRound: ({ mended, open, oldestAgeMs }) => {
      if (mended > 0) log.warn({ mended, open, oldestAgeMs }, 'mended orders that no job was answerable for')
    },
    onFault: (err) => onFault(err, 'a round of mending failed; the next one comes'),
  },
  ending.signal,
)
closeWithGrace({ delay: env.CHECKS_MS + 3_000, logger: log }, async ({ err }) => {
  if (err) log.error({ err }, 'closing after an error')
  ending.abort()
  await taker.close(env.CHECKS_MS + 1_000) // Groups in hand are finished; what is not in time is left to others.
  await mending
  await store.close()
  rulebook.close()
})
process.on('SIGHUP', () => void rulebook.reload())
log.info({ shards: env.SHARDS, concurrency: env.CONCURRENCY }, 'working')
