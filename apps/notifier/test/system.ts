import { randomUUID } from 'node:crypto'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { OrderEvent } from '@placeorder/events'
import type { PlaceOrderRequest } from '@placeorder/protocol'
import {
  connect,
  disconnect,
  type NotifierStore,
  type OrderId,
  type Outcome,
  openIngressStore,
  openNotifierStore,
  openWorkerStore,
  orderIdOf,
  type RedisConnection,
  shardOf,
} from '@placeorder/store'
import { aPlaceOrder, testRedis } from '@placeorder/testkit'
import { Webhook } from 'standardwebhooks'
import { afterAll, afterEach } from 'vitest'
import { Notifier, type NotifierDeps } from '../src/notifier.ts'
import type { SinkObserver } from '../src/observer.ts'
import { Outcomes } from '../src/outcomes.ts'
import { parseSinkFile } from '../src/sink-file.ts'

export const secret = `whsec_${Buffer.alloc(32, 1).toString('base64')}`

/** What a test may replace. */
type Overridden = Partial<Omit<NotifierDeps, 'store' | 'shards'>>

/** A Redis with orders that are concluded, and notifiers that deliver their events. */
export type EventSystem = {
  redisUrl: string
  shards: number
  store: NotifierStore
  /** Looks behind everybody's back. */
  connection: RedisConnection
  /** Claims orders and concludes them in one call each shard. */
  conclude: (orders?: PlaceOrderRequest[], outcome?: Outcome) => Promise<OrderId[]>
  /** Starts a notifier with these sinks, until the test ends. */
  notify: (sinks: object[], deps?: Overridden) => Promise<RunningNotifier>
}

export type RunningNotifier = {
  notifier: Notifier
  /** What its observer was notified of. */
  noted: string[]
  configure: (sinks: object[]) => Promise<void>
  stop: () => Promise<void>
}

type EventSystemOptions = {
  shards?: number
  /** A Redis that the caller closes; without it the system has its own. */
  url?: string
  /** How many replicas must have what is delivered. */
  replicasMin?: number
}

export async function openEventSystem({
  shards = 1,
  url,
  replicasMin = 0,
}: EventSystemOptions = {}): Promise<EventSystem> {
  const redis = url === undefined ? await testRedis({ own: true }) : { url, close: async () => {} }
  const address = { urls: [redis.url], cluster: false, sentinels: [], sentinelName: '' }
  const options = { address, shards, onFault: () => {} }
  const ingress = await openIngressStore({ ...options, waitMs: 100 })
  const worker = await openWorkerStore(options)
  const store = await openNotifierStore({ ...options, replicasMin })
  const connection = connect(address, 'patient')
  afterAll(async () => {
    await Promise.all([ingress.close(), worker.close(), store.close()])
    await disconnect(connection)
    await redis.close()
  })
  const running: RunningNotifier[] = []
  afterEach(async () => {
    await Promise.all(running.splice(0).map((one) => one.stop()))
  })
  return {
    redisUrl: redis.url,
    shards,
    store,
    connection,
    conclude: async (orders = [aPlaceOrder()], outcome = 'SUCCESS') => {
      const accept = (order: PlaceOrderRequest) =>
        ingress.intake.accept({ order, clientId: 'C-1' }, AbortSignal.timeout(20_000))
      await Promise.all(orders.map(accept))
      const orderIds = orders.map((order) => orderIdOf(order))
      for (const [shard, ids] of Map.groupBy(orderIds, (id) => shardOf(id, shards)))
        await worker.orders.concludeAll(
          shard,
          ids.map((orderId) => ({ orderId, outcome })),
        )
      return orderIds
    },
    notify: async (sinks, deps = {}) => {
      const started = await start(sinks, { store, shards, ...deps })
      running.push(started)
      return started
    },
  }
}

async function start(
  sinks: object[],
  { store, ...deps }: Overridden & { store: NotifierStore; shards: number },
): Promise<RunningNotifier> {
  const parse = (entries: object[]) =>
    parseSinkFile(JSON.stringify({ sinks: entries }), 'events.json', async () => Buffer.of(), {
      hasArchive: deps.backlog !== undefined,
    })
  let configured = await parse(sinks)
  const noted: string[] = []
  const notifier = new Notifier({
    outcomes: new Outcomes({ store, archive: undefined }),
    consumer: randomUUID().slice(0, 8),
    observer: noting(noted),
    configured: () => configured,
    keepMs: 86_400_000,
    passed: async () => {},
    backlog: undefined,
    store,
    ...deps,
  })
  const ending = new AbortController()
  const ended = notifier.run(ending.signal)
  const untilStarted = async () => {
    const isStarted = () =>
      configured.every((sink) =>
        notifier.runners.some(
          ({ configured: { digest }, fault }) =>
            digest === sink.digest || (fault !== undefined && fault === sink.fault),
        ),
      )
    while (!isStarted()) await new Promise((resolve) => setTimeout(resolve, 10))
  }
  await untilStarted()
  return {
    notifier,
    noted,
    configure: async (entries) => {
      configured = await parse(entries)
      await untilStarted()
    },
    stop: async () => {
      ending.abort()
      await ended
    },
  }
}

const noting = (noted: string[]): SinkObserver => ({
  delivered: () => {},
  failed: (sink, reason) => noted.push(`${sink} failed: ${reason}`),
  dead: (sink) => noted.push(`${sink} dead`),
  circuit: (sink, open) => noted.push(`${sink} ${open ? 'open' : 'closed'}`),
  faulty: (sink, reason) => noted.push(`${sink} faulty: ${reason}`),
  disabled: (sink) => noted.push(`${sink} disabled`),
  dropped: (sink, events) => noted.push(`${sink} dropped ${events}`),
  fault: (error) => noted.push(`fault: ${error}`),
})

/** A receiver of webhooks that verifies what it gets. */
export type EventReceiver = {
  url: string
  /** The requests that were answered by the receiver, each with its events. */
  requests: OrderEvent[][]
  /** How the next requests are answered. */
  answer: (listener: (events: OrderEvent[]) => RequestListener | number) => void
  /** The ids of the orders whose events were answered 2xx, each once. */
  delivered: () => Set<string>
  /** Closes all connections. */
  hangUp: () => void
}

/** Starts a receiver that answers 200 until the test file ends. */
export async function openReceiver(): Promise<EventReceiver> {
  const requests: OrderEvent[][] = []
  const delivered = new Set<string>()
  let answer: Parameters<EventReceiver['answer']>[0] = () => 200
  const server = createServer(async (request, response) => {
    const body = await text(request)
    const headers = request.headers as Record<string, string>
    const verified = new Webhook(secret).verify(body, headers) as OrderEvent | OrderEvent[]
    const events = Array.isArray(verified) ? verified : [verified]
    requests.push(events)
    const how = answer(events)
    if (typeof how !== 'number') return how(request, response)
    response.writeHead(how).end()
    if (how < 300)
      for (const { data } of events) delivered.add(`${data.acquirerId}:${data.paymentId}`)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  afterAll(async () => {
    server.closeAllConnections()
    await new Promise<void>((resolve) => server.close(() => resolve()))
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    requests,
    answer: (listener) => {
      answer = listener
    },
    delivered: () => new Set(delivered),
    hangUp: () => server.closeAllConnections(),
  }
}
