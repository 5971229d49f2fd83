import { openIngressStore, orderIdOf } from '@placeorder/store'
import { serveClosedLoop } from './closed-loop.ts'

// Places orders without HTTP and signatures: accepts each one and waits for the worker's outcome.

const WAIT_MS = 10_000

const urls = (process.env.REDIS_URL ?? '').split(',')
const store = await openIngressStore({
  address: { urls, cluster: process.env.REDIS_CLUSTER === 'true', sentinels: [], sentinelName: '' },
  shards: Number(process.env.SHARDS ?? 1),
  onFault: (error, what) => console.error(what, error),
})

serveClosedLoop((order) => {
  const signal = AbortSignal.timeout(WAIT_MS)
  return store.orders.during(orderIdOf(order), signal, async (announced) => {
    const accepted = await store.intake.accept({ order, clientId: 'bench' }, signal)
    if (accepted.kind === 'OPEN') return announced
    return accepted.kind === 'CONCLUDED' ? accepted.outcome : accepted.kind
  })
})
