import { openIngressStore, orderIdOf } from '@placeorder/store'
import { serveClosedLoop } from './closed-loop.ts'

// Our own way without HTTP and signature: an order is taken in, decided by a worker, and its outcome heard.

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
    const taken = await store.intake.accept({ order, clientId: 'bench' }, signal)
    if (taken.kind === 'OPEN') return announced
    return taken.kind === 'CONCLUDED' ? taken.outcome : taken.kind
  })
})
