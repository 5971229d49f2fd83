import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { addressOf, readEnvironment, redisEnvironment } from '@placeorder/config'
import { type CodeRecord, DirectoryFile, type MerchantRecord } from '@placeorder/decision'
import { repositoryRoot } from '@placeorder/local-services/repository-root'
import { openDirectory, type RedisAddress } from '@placeorder/store'
import { z } from 'zod'
import { type Caller, type SignedAnswer, signedCall } from './signed-call.ts'
import { type RunningProcess, startProcess } from './start-process.ts'
import { testKeys } from './test-keys.ts'
import { testRedis } from './test-redis.ts'
import { untilAdmitted } from './until-admitted.ts'

/** Real ingress and worker processes on a real Redis, with keys and files of their own. */
export type System = {
  redisUrl: string
  address: RedisAddress
  shards: number
  /** The folder of its files; `clients.json` and `policy.json` may be changed. */
  dir: string
  caller: Caller
  /** A second client, for `otherAcquirerId` alone. */
  otherCaller: Caller
  startIngress: (env?: Record<string, string>, onLine?: (line: string) => void) => Promise<Ingress>
  startWorker: (
    env?: Record<string, string>,
    onLine?: (line: string) => void,
  ) => Promise<RunningApp>
  /** `env` says where the archive is. */
  startArchiver: (
    env: Record<string, string>,
    onLine?: (line: string) => void,
  ) => Promise<RunningApp>
  /** `env` says which file has the sinks. */
  startNotifier: (
    env: Record<string, string>,
    onLine?: (line: string) => void,
  ) => Promise<RunningApp>
  /** Adds records to the directory, which has those of the sample. */
  put: (merchants: MerchantRecord[], codes: CodeRecord[]) => Promise<void>
  close: () => Promise<void>
}

/** `admin` is the URL of its health and metrics. */
export type RunningApp = RunningProcess & { admin: string }

export type Ingress = RunningApp & {
  origin: string
  /** These repeat a message while it is refused for overload. */
  place: (message: unknown) => Promise<SignedAnswer>
  inquire: (message: unknown) => Promise<SignedAnswer>
}

const clientId = 'SANDBOX_5Y00000000000001'
const otherClientId = 'SANDBOX_5Y00000000000002'

/**
 * The acquirer of the second client, which the first may call for, too. Its id has odd characters.
 */
export const otherAcquirerId = 'A:2 {s0}'
const acquirerIds = ['1020000000000000001', otherAcquirerId]
const Started = z.object({ admin: z.string() })
const Listening = Started.extend({ address: z.object({ port: z.number() }) })

/**
 * Prepares a system; only Redis runs yet. Every process gets `env` and is run from `root`, by
 * default this repository; if neither `env` nor `redisUrl` names a Redis, the system has its own.
 */
export async function openSystem({
  env = {},
  redisUrl,
  root = repositoryRoot,
}: {
  env?: Record<string, string>
  redisUrl?: string
  root?: string
} = {}): Promise<System> {
  const dir = await mkdtemp(join(tmpdir(), 'placeorder-system-'))
  const given = redisUrl ?? env.REDIS_URL ?? (env.REDIS_SENTINELS && 'redis://127.0.0.1')
  const redis = given ? { url: given, close: async () => {} } : await testRedis({ own: true })
  const { caller, otherCaller } = await writeFiles(dir)
  const running: RunningProcess[] = []
  const all = {
    REDIS_URL: redis.url,
    CLIENTS_FILE: join(dir, 'clients.json'),
    POLICY_FILE: join(dir, 'policy.json'),
    SIGNING_KEY_FILE: join(dir, 'acquirer.pem'),
    PORT: '0',
    ADMIN_PORT: '0',
    HOST: '127.0.0.1',
    ADMIN_HOST: '127.0.0.1',
    ...env,
  }
  const settings = readEnvironment(z.object(redisEnvironment), all)
  const address = addressOf(settings)
  const put = async (merchants: MerchantRecord[], codes: CodeRecord[]) => {
    const { directory, close } = await openDirectory(address, settings.SHARDS)
    await directory.put(merchants, codes)
    await close()
  }
  const sample = DirectoryFile.parse(
    JSON.parse(await readFile(join(repositoryRoot, 'config/directory.json'), 'utf8')),
  )
  await put(sample.merchants, sample.codes)
  return {
    redisUrl: redis.url,
    address,
    shards: settings.SHARDS,
    dir,
    caller,
    otherCaller,
    put,
    startIngress: async (more = {}, onLine = () => {}) => {
      const ingress = startProcess({
        name: 'ingress',
        entry: 'apps/ingress/src/main.ts',
        root,
        env: { ...all, ...more },
        onLine,
      })
      running.push(ingress)
      const listening = await ingress.waitFor(/"listening"/)
      const { admin, address } = Listening.parse(JSON.parse(listening))
      const origin = `http://127.0.0.1:${address.port}`
      return {
        ...ingress,
        admin,
        origin,
        place: (message) =>
          untilAdmitted(() =>
            signedCall(`${origin}/aps/api/v1/payments/placeOrder`, message, caller),
          ),
        inquire: (message) =>
          untilAdmitted(() =>
            signedCall(`${origin}/aps/api/v1/payments/inquiryOrder`, message, caller),
          ),
      }
    },
    startWorker: async (more = {}, onLine = () => {}) => {
      const worker = startProcess({
        name: 'worker',
        entry: 'apps/worker/src/main.ts',
        root,
        env: { ...all, ...more },
        onLine,
      })
      running.push(worker)
      const { admin } = Started.parse(JSON.parse(await worker.waitFor(/"working"/)))
      return { ...worker, admin }
    },
    startArchiver: async (more, onLine = () => {}) => {
      const archiver = startProcess({
        name: 'archiver',
        entry: 'apps/archiver/src/main.ts',
        root,
        env: { ...all, ...more },
        onLine,
      })
      running.push(archiver)
      const { admin } = Started.parse(JSON.parse(await archiver.waitFor(/"archiving"/)))
      return { ...archiver, admin }
    },
    startNotifier: async (more, onLine = () => {}) => {
      const notifier = startProcess({
        name: 'notifier',
        entry: 'apps/notifier/src/main.ts',
        root,
        env: { ...all, ...more },
        onLine,
      })
      running.push(notifier)
      const { admin } = Started.parse(JSON.parse(await notifier.waitFor(/"notifying"/)))
      return { ...notifier, admin }
    },
    close: async () => {
      for (const one of running) one.kill('SIGKILL')
      await Promise.all(running.map(({ exited }) => exited))
      await redis.close()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

async function writeFiles(dir: string): Promise<{ caller: Caller; otherCaller: Caller }> {
  const [alipay, other, acquirer] = await Promise.all([
    testKeys('alipay'),
    testKeys('other'),
    testKeys('acquirer'),
  ])
  const pem = { type: 'spki', format: 'pem' } as const
  const secretPem = { type: 'pkcs8', format: 'pem' } as const
  const keyIn = (publicKeyFile: string) => [{ version: '1', publicKeyFile }]
  const clients = [
    { clientId, acquirerIds, keys: keyIn('alipay.pub.pem') },
    { clientId: otherClientId, acquirerIds: [otherAcquirerId], keys: keyIn('other.pub.pem') },
  ]
  await Promise.all([
    writeFile(join(dir, 'alipay.pem'), alipay.privateKey.export(secretPem)),
    writeFile(join(dir, 'alipay.pub.pem'), alipay.publicKey.export(pem)),
    writeFile(join(dir, 'other.pub.pem'), other.publicKey.export(pem)),
    writeFile(join(dir, 'acquirer.pem'), acquirer.privateKey.export(secretPem)),
    writeFile(join(dir, 'acquirer.pub.pem'), acquirer.publicKey.export(pem)),
    writeFile(join(dir, 'clients.json'), JSON.stringify({ clients })),
    writeFile(join(dir, 'policy.json'), await readFile(join(repositoryRoot, 'config/policy.json'))),
  ])
  const serverKey = acquirer.publicKey
  return {
    caller: { clientId, key: alipay.privateKey, serverKey },
    otherCaller: { clientId: otherClientId, key: other.privateKey, serverKey },
  }
}
