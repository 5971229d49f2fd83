import { isResultCode, statusOf } from '@placeorder/protocol'
import { aPlaceOrder, openAuthority, openSystem, type System } from '@placeorder/testkit'
import { answersIn } from './answers.ts'
import type { Known } from './check-answers.ts'
import { fire, type Targets } from './fire.ts'
import type { Placed } from './shot.ts'
import { type Signing, signedBytes } from './signed-bytes.ts'

const target = '/aps/api/v1/payments/placeOrder'

/** So many orders are placed before the attack, and sent again and again in it. */
const POOL_ORDERS = 100

/** A system that is attacked: its processes, where they listen, and orders that it has placed. */
export type Attacked = {
  targets: Targets
  signing: Signing
  known: Known
  pool: readonly Placed[]
  processes: readonly { name: string; pid: number; exited: Promise<number | NodeJS.Signals> }[]
  /** Whether a good order still gets an answer that may be its own: under attack it may be a U. */
  isWell: () => Promise<boolean>
  /** Ends the processes; gives the exit code of each. */
  end: () => Promise<(number | NodeJS.Signals)[]>
  close: () => Promise<void>
}

/** Starts two ingresses, one of them over TLS, and a worker, and places the orders of the pool. */
export async function openAttacked(): Promise<Attacked> {
  const system = await openSystem({ env: { LOG_LEVEL: 'warn' } })
  const authority = await openAuthority(system.dir, 'authority')
  const { certFile, keyFile } = await authority.issue('ingress')
  const worker = await system.startWorker({ LOG_LEVEL: 'info' })
  const plain = await system.startIngress({ LOG_LEVEL: 'info' })
  const secure = await system.startIngress({
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
  const processes = [{ ...plain, name: 'ingress' }, { ...secure, name: 'ingress over TLS' }, worker]
  return {
    targets,
    signing,
    known: { clientId: signing.clientId, serverKey: serverKeyOf(system) },
    pool: await placeAll(targets, signing),
    processes,
    isWell: async () => {
      const { paymentId: customerId } = aPlaceOrder() // One customer alone would soon be a risk.
      const { code, verified } = await plain.place(aPlaceOrder({ customerId }))
      return verified && isResultCode(code) && statusOf[code] !== 'F'
    },
    end: () => {
      for (const { kill } of processes) kill('SIGTERM')
      return Promise.all(processes.map(({ exited }) => exited))
    },
    close: system.close,
  }
}

async function placeAll(targets: Targets, signing: Signing): Promise<Placed[]> {
  const pool: Placed[] = []
  for (let count = 0; count < POOL_ORDERS; count += 1) {
    const { paymentId } = aPlaceOrder()
    const order = aPlaceOrder({ paymentId, customerId: `C-${paymentId}` })
    const bytes = signedBytes(target, Buffer.from(JSON.stringify(order)), signing)
    const { received } = await fire(
      {
        kind: 'good order',
        port: 'orders',
        pieces: [bytes],
        requests: 1,
        leaving: { how: 'end' },
        placed: [],
        answersInAll: true,
        bare: false,
      },
      targets,
    )
    const body = answersIn(received, false).answers[0]?.body.toString() ?? ''
    const [, paymentRequestId] = /"paymentRequestId":"([^"]+)"/.exec(body) ?? []
    if (paymentRequestId === undefined) throw new Error(`an order could not be placed: ${body}`)
    pool.push({ bytes, target, paymentId, paymentRequestId })
  }
  return pool
}

const portOf = (origin: string): number => Number(new URL(origin).port)

function serverKeyOf({ caller: { serverKey } }: System): Known['serverKey'] {
  if (typeof serverKey === 'function') throw new Error('the system has one key')
  return serverKey
}
