import { addressOf, liveFile, readEnvironment } from '@placeorder/config'
import { openIngressStore } from '@placeorder/store'
import { openLog } from '@placeorder/telemetry'
import closeWithGrace from 'close-with-grace'
import { Admission } from './admission.ts'
import { parseClients } from './clients.ts'
import { IngressEnvironment, parseSigningKey, readTls } from './config.ts'
import { buildServer } from './server.ts'
import { Signer } from './signer.ts'

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
const app = buildServer({
  paths: { placeOrder: env.PLACE_ORDER_PATH, inquireOrder: env.INQUIRY_ORDER_PATH },
  clients: () => clients.current,
  signer: new Signer(() => signingKey.current),
  admission,
  requestTimeToleranceMs: env.REQUEST_TIME_TOLERANCE_MS,
  use: { ...store, waitMs: env.WAIT_MS },
  log,
  onAnswer: () => {},
  trustProxy: env.TRUST_PROXY.length > 0 ? env.TRUST_PROXY : false,
  tls: await readTls(env),
})
closeWithGrace({ delay: env.WAIT_MS + 2_000, logger: log }, async ({ err }) => {
  if (err) log.error({ err }, 'closing after an error')
  await app.close() // No new requests; those in hand still get their answer.
  admission.close()
  await store.close()
  clients.close()
  signingKey.close()
})
process.on('SIGHUP', () => void Promise.all([clients.reload(), signingKey.reload()]))
await app.listen({ port: env.PORT, host: env.HOST })
log.info({ address: app.server.address() }, 'listening')
