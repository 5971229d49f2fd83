import { setTimeout as wait } from 'node:timers/promises'
import { addressOf, liveFile, readEnvironment } from '@placeorder/config'
import { openIngressStore } from '@placeorder/store'
import { openLog } from '@placeorder/telemetry'
import closeWithGrace from 'close-with-grace'
import { Admission } from './admission.ts'
import { parseClients } from './clients.ts'
import { IngressEnvironment, parseSigningKey, readTls } from './config.ts'
import { buildServer } from './server.ts'
import { Signer } from './signer.ts'
import { Waits } from './waits.ts'

const env = readEnvironment(IngressEnvironment, process.env)
const log = openLog({ name: 'ingress', level: env.LOG_LEVEL })
const keepOld = (err: unknown) =>
  log.error({ err }, 'a changed file is broken; the version before stays in force')
const clients = await liveFile(env.CLIENTS_FILE, parseClients, keepOld)
const signingKey = await liveFile(
  env.SIGNING_KEY_FILE,
  (pem, path) => parseSigningKey(pem, path, env.SIGNING_KEY_VERSION),
  keepOld,
)
const store = await openIngressStore({
  address: addressOf(env),
  shards: env.SHARDS,
  replicasMin: env.REPLICAS_MIN,
  onFault: (err, what) => log.warn({ err }, what),
})
const admission = new Admission(
  { inHandMax: env.IN_HAND_MAX, openOrdersMax: env.OPEN_ORDERS_MAX },
  () => store.intake.openOrders,
)
const waits = new Waits()
let draining = false
const app = buildServer({
  paths: { placeOrder: env.PLACE_ORDER_PATH, inquireOrder: env.INQUIRY_ORDER_PATH },
  clients: () => clients.current,
  signer: new Signer(() => signingKey.current),
  admission,
  requestTimeToleranceMs: env.REQUEST_TIME_TOLERANCE_MS,
  use: { ...store, waits, waitMs: env.WAIT_MS },
  log,
  onAnswer: () => {},
  trustProxy: env.TRUST_PROXY.length > 0 ? env.TRUST_PROXY : false,
  tls: await readTls(env),
  draining: () => draining,
})
/** Orders in hand when the listener has closed may wait this much longer (ms); then they are answered what is known. */
const LAST_WAIT_MS = 1_000

closeWithGrace({ delay: env.DRAIN_MS + LAST_WAIT_MS + 1_500, logger: log }, async ({ err }) => {
  if (err) log.error({ err }, 'closing after an error')
  draining = true
  await wait(env.DRAIN_MS) // Connections on their way still come in, and those kept alive are told to go.
  const cut = setTimeout(() => waits.cutShort(), LAST_WAIT_MS)
  await app.close() // No new requests; those in hand still get their answer.
  clearTimeout(cut)
  admission.close()
  await store.close()
  clients.close()
  signingKey.close()
})
process.on('SIGHUP', () => void Promise.all([clients.reload(), signingKey.reload()]))
await app.listen({ port: env.PORT, host: env.HOST })
log.info({ address: app.server.address() }, 'listening')
