import { once } from 'node:events'
import { FaultProxy, startCluster } from '@placeorder/testkit'
import { Cluster, Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { freePort } from '../../../local-services/src/redis.ts'
import { openTestStore } from '../../test/test-store.ts'
import { connect, disconnect, onConnectionLost } from './connection.ts'

const { address } = await openTestStore()

test.each(['patient', 'fail-fast'] as const)(
  'a %s connection is closed in time when its server is gone and commands wait',
  { retry: 2, timeout: 5_000 }, // Other work on the machine only adds to the time.
  async (patience) => {
    const server = await FaultProxy.open({ port: Number(new URL(address.urls[0] ?? '').port) })
    const connection = connect({ ...address, urls: [`redis://127.0.0.1:${server.port}`] }, patience)
    connection.on('error', () => {})
    await new Promise((resolve) => connection.once('ready', resolve))
    await server.refuse()
    await new Promise((resolve) => connection.once('reconnecting', resolve))
    connection.ping().catch(() => {})
    const from = performance.now()
    await disconnect(connection)
    expect(performance.now() - from).toBeLessThan(750)
    await server.close()
  },
)

test('a socket that reports a second error ends no process', async () => {
  const urls = [`redis://127.0.0.1:${await freePort()}`]
  const connection = connect({ ...address, urls }, 'fail-fast')
  if (!(connection instanceof Redis)) throw new Error('it is of one server')
  await once(connection, 'error')
  const { stream } = connection
  expect(stream.emit('error', new Error('an alert that came late'))).toBe(true)
  connection.disconnect()
})

test('a connection is lost once, however often connecting again fails', async () => {
  const server = await FaultProxy.open({ port: Number(new URL(address.urls[0] ?? '').port) })
  const urls = [`redis://127.0.0.1:${server.port}`]
  const connection = connect({ ...address, urls }, 'fail-fast')
  connection.on('error', () => {})
  const next = (event: string) => new Promise((resolve) => connection.once(event, resolve))
  let lost = 0
  onConnectionLost(connection, () => {
    lost += 1
  })
  await next('ready')
  await server.refuse()
  for (let attempt = 0; attempt < 3; attempt += 1) await next('reconnecting')
  expect(lost).toBe(1)
  await server.heal()
  await next('ready')
  server.cut()
  await next('close')
  expect(lost).toBe(2)
  connection.disconnect()
  await server.close()
})

test('a Cluster connection that is closed between two attempts to connect ends', async () => {
  const urls = [`redis://127.0.0.1:${await freePort()}`]
  const connection = connect({ ...address, urls, cluster: true }, 'patient')
  if (!(connection instanceof Cluster)) throw new Error('it is of a Cluster')
  connection.on('error', () => {})
  await new Promise((resolve) => connection.once('reconnecting', resolve))
  connection.disconnect()
  await new Promise((resolve) => connection.once('end', resolve))
})

test('who connects to a Cluster that is down is connected once it is up', async () => {
  const cluster = await startCluster()
  const connection = connect({ ...address, urls: cluster.urls, cluster: true }, 'patient')
  if (!(connection instanceof Cluster)) throw new Error('it is of a Cluster')
  connection.on('error', () => {})
  await new Promise((resolve) => connection.once('ready', resolve))
  connection.disconnect()
  await new Promise((resolve) => connection.once('end', resolve))
  const node = new Redis({ port: cluster.ports[1] ?? 0 })
  await cluster.kill(0)
  const state = async () => String(await node.call('CLUSTER', 'INFO'))
  await expect.poll(state, { timeout: 30_000 }).toContain('cluster_state:fail')
  const connected = connection.connect()
  await new Promise((resolve) => connection.once('reconnecting', resolve))
  await cluster.restart(0)
  await connected
  expect(await connection.get('key')).toBeNull()
  await Promise.all([disconnect(connection), disconnect(node)])
  await cluster.close()
})
