import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { isResultCode, statusOf } from '@placeorder/protocol'
import {
  aPlaceOrder,
  type Caller,
  type Ingress,
  openAuthority,
  openSystem,
  type RunningApp,
  type System,
} from '@placeorder/testkit'
import { z } from 'zod'
import { splitAnswers } from './answers.ts'
import type { Known } from './check-answers.ts'
import { openGarbageCollector } from './garbage-collector.ts'
import type { Watched } from './memory-usage.ts'
import { poolRequest } from './pool-request.ts'
import { sendShot, type Targets } from './send-shot.ts'
import type { Placed } from './shot.ts'
import type { ShotSigner } from './signed-bytes.ts'

/** How many orders are placed before the attack and repeated in it. */
const POOL_ORDERS = 100

/** The system under attack: its processes, where they listen, and orders that it has placed. */
export type AttackTestBed = {
  targets: Targets
  signing: ShotSigner
  known: Known
  pool: readonly Placed[]
  system: Pick<System, 'redisUrl' | 'address' | 'shards' | 'caller' | 'otherCaller'>
  /** A client that may call from one address alone, which is not ours. */
  elsewhere: Caller
  ingress: Ingress
  worker: RunningApp
  /** Opens the worker's board. */
  adminToken: string
  processes: readonly (RunningApp & Watched)[]
  /** Whether a good order still gets a valid answer: under attack it may be a U. */
  isWell: () => Promise<boolean>
  /** Ends the processes while a silent TLS connection is open; resolves with their exit codes. */
  end: () => Promise<(number | NodeJS.Signals)[]>
  close: () => Promise<void>
}

/** Starts two ingresses, one of them over TLS, and a worker, and places the orders of the pool. */
export async function openAttackTestBed(): Promise<AttackTestBed> {
  const system = await openSystem({ env: { LOG_LEVEL: 'warn' } })
  const authority = await openAuthority(system.dir, 'authority')
  const { certFile, keyFile } = await authority.issue('ingress')
  const elsewhere = await writeFiles(system)
  const adminToken = randomUUID()
  const collectors = {
    worker: await openGarbageCollector(),
    plain: await openGarbageCollector(),
    secure: await openGarbageCollector(),
  }
  const worker = await system.startWorker({
    ...collectors.worker.env,
    LOG_LEVEL: 'info',
    ADMIN_TOKEN: adminToken,
  })
  const plain = await system.startIngress({ ...collectors.plain.env, LOG_LEVEL: 'info' })
  const secure = await system.startIngress({
    ...collectors.secure.env,
    LOG_LEVEL: 'info',
    TLS_CERT_FILE: certFile,
    TLS_KEY_FILE: keyFile,
  })
  const numbers = {
    orders: portOf(plain.origin),
    'orders over TLS': portOf(secure.origin),
    'ingress admin': portOf(plain.admin),
    'worker admin': portOf(worker.admin),
  }
  const targets = { numbers, ca: authority.cert }
  const signing = { clientId: system.caller.clientId, key: system.caller.key }
  const processes = [
    { ...plain, name: 'ingress', collectGarbage: collectors.plain.collect },
    { ...secure, name: 'ingress over TLS', collectGarbage: collectors.secure.collect },
    { ...worker, collectGarbage: collectors.worker.collect },
  ]
  return {
    targets,
    signing,
    known: { clientId: signing.clientId, serverKey: serverKeyOf(system) },
    pool: await placeAll(targets, signing),
    system,
    elsewhere,
    ingress: plain,
    worker,
    adminToken,
    processes,
    isWell: async () => {
      // The orders of one customer would soon be RISK_REJECT.
      const { paymentId: customerId } = aPlaceOrder()
      const { code, verified } = await plain.place(aPlaceOrder({ customerId }))
      return verified && isResultCode(code) && statusOf[code] !== 'F'
    },
    end: async () => {
      const silent = connect(numbers['orders over TLS'], '127.0.0.1').on('error', () => {})
      await once(silent, 'connect')
      for (const { kill } of processes) kill('SIGTERM')
      const codes = await Promise.all(processes.map(({ exited }) => exited))
      silent.destroy()
      return codes
    },
    close: system.close,
  }
}

const Clients = z.object({
  clients: z.array(z.looseObject({ clientId: z.string(), acquirerIds: z.array(z.string()) })),
})
const Policy = z.looseObject({ limits: z.looseObject({ customerDay: z.array(z.unknown()) }) })

/**
 * Acquirers whose ids, put before a colon, are like the beginning of `otherAcquirerId`, which is
 * `A:2 {s0}`.
 */
export const likeOther = { beginning: 'A', encoded: 'A%3A2 {s0}' }

/** A day's limit that counts payments, whatever their amount. */
const countLimit = { currency: 'USD', countMax: 1_000_000 }

/**
 * Gives the first client acquirers with odd ids, adds a limit and a client that may not call from
 * here.
 */
async function writeFiles({ dir, otherCaller }: System): Promise<Caller> {
  const changed = async <T>(name: string, schema: z.ZodType<T>, change: (file: T) => void) => {
    const file = schema.parse(JSON.parse(await readFile(join(dir, name), 'utf8')))
    change(file)
    await writeFile(join(dir, name), JSON.stringify(file))
  }
  const elsewhere = { ...otherCaller, clientId: 'ELSEWHERE' }
  await changed('clients.json', Clients, ({ clients }) => {
    clients[0]?.acquirerIds.push(...Object.values(likeOther))
    const other = clients.find(({ clientId }) => clientId === otherCaller.clientId)
    if (other === undefined) throw new Error('the system has no second client')
    clients.push({ ...other, clientId: elsewhere.clientId, addresses: [elsewhereAddress] })
  })
  await changed('policy.json', Policy, ({ limits }) => limits.customerDay.push(countLimit))
  return elsewhere
}

/** The address from which that client may call. */
export const elsewhereAddress = '203.0.113.7'

/** How long a busy machine may refuse an order of the pool, or not decide it (ms). */
const PLACED_MS_MAX = 30_000

async function placeAll(targets: Targets, signing: ShotSigner): Promise<Placed[]> {
  const pool: Placed[] = []
  const until = performance.now() + PLACED_MS_MAX
  while (pool.length < POOL_ORDERS) {
    const request = poolRequest(pool.length, signing)
    const { received } = await sendShot(
      {
        kind: 'good order',
        port: 'orders',
        pieces: [request.bytes],
        requests: 1,
        leaving: { how: 'end' },
        placed: [],
        answersInAll: true,
        bare: false,
      },
      targets,
    )
    const body = splitAnswers(received, false).answers[0]?.body.toString() ?? ''
    const [, paymentRequestId] = /"paymentRequestId":"([^"]+)"/.exec(body) ?? []
    if (paymentRequestId !== undefined) pool.push({ ...request, paymentRequestId })
    else if (performance.now() < until) await wait(100)
    else throw new Error(`an order could not be placed: ${body}`)
  }
  return pool
}

const portOf = (origin: string): number => Number(new URL(origin).port)

function serverKeyOf({ caller: { serverKey } }: System): Known['serverKey'] {
  if (typeof serverKey === 'function') throw new Error('the system has one key')
  return serverKey
}
