import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findRedisServer, startLocalRedis } from '@placeorder/local-services/redis'
import { connect, disconnect } from '@placeorder/store'
import { aPlaceOrder, FaultProxy } from '@placeorder/testkit'
import { afterAll, expect, test, vi } from 'vitest'
import { openEventSystem, openReceiver, secret } from './system.ts'

vi.setConfig({ testTimeout: 120_000 })

const within = { timeout: 60_000, interval: 50 }
const dir = await mkdtemp(join(tmpdir(), 'placeorder-notifier-replicas-'))
const binary = await findRedisServer()
const start = (name: string, ...args: string[]) =>
  startLocalRedis(binary, {
    dir: join(dir, name),
    args: ['--repl-diskless-sync-delay', '0', ...args],
  })
const replicaOf = (port: number) => ['--replicaof', '127.0.0.1', String(port)]

const master = await start('master')
/** Between the replica and its master. */
const link = await FaultProxy.open({ port: master.port })
const replica = await start('replica', ...replicaOf(link.port))
const servers = [master, replica]
/** Leads everybody else to the server that is master. */
const clients = await FaultProxy.open({ port: master.port })
afterAll(async () => {
  await Promise.all([clients.close(), link.close(), ...servers.map((server) => server.stop())])
  await rm(dir, { recursive: true })
})
const url = `redis://127.0.0.1:${clients.port}`
const { conclude, notify } = await openEventSystem({ url, replicasMin: 1 })

/** A notifier with a sink whose first event a replica had. */
async function notified() {
  const receiver = await openReceiver()
  const name = `sink-${Math.random().toString(36).slice(2)}`
  const sink = { name, type: 'webhook', url: receiver.url, secrets: [secret] }
  const { noted } = await notify([sink])
  const [first] = await conclude()
  await vi.waitFor(() => expect(receiver.delivered()).toContain(first), within)
  return { receiver, noted }
}

/** Resolves once a notifier has looked for replicas, and not found enough. */
const untilHeldBack = (noted: string[]) =>
  vi.waitFor(() => expect(noted.join()).toContain('too few replicas'), within)

test('what a replica that is cut off lacks is delivered once it is back', async () => {
  const { receiver, noted } = await notified()
  link.stall()
  const orderIds = await conclude([aPlaceOrder(), aPlaceOrder()])
  await untilHeldBack(noted)
  expect(receiver.requests).toHaveLength(1)
  await link.heal()
  await vi.waitFor(() => {
    for (const orderId of orderIds) expect(receiver.delivered()).toContain(orderId)
  }, within)
})

test('what a failover takes back was not delivered, but what is concluded after it', async () => {
  const { receiver, noted } = await notified()
  link.blackHole()
  const order = aPlaceOrder()
  await conclude([order], 'SUCCESS')
  await untilHeldBack(noted)
  master.process.kill('SIGKILL')
  await master.ended
  const address = { urls: [replica.url], cluster: false, sentinels: [], sentinelName: '' }
  const promoted = connect(address, 'patient')
  await promoted.replicaof('NO', 'ONE')
  await disconnect(promoted)
  clients.leadTo({ port: replica.port })
  await vi.waitFor(() => conclude([order], 'RISK_REJECT'), within)
  servers.push(await start('second', ...replicaOf(replica.port)))
  const typesOf = () =>
    receiver.requests
      .flat()
      .filter(({ subject }) => subject === order.paymentId)
      .map(({ type }) => type)
  await vi.waitFor(() => expect(typesOf()).toContain('order.refused'), within)
  expect(typesOf()).not.toContain('order.placed')
})
