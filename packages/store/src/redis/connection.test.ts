import { FaultProxy } from '@placeorder/testkit'
import { expect, test } from 'vitest'
import { openTestStore } from '../../test/test-store.ts'
import { connect, disconnect } from './connection.ts'

const { address } = await openTestStore()

test.each(['patient', 'fail-fast'] as const)(
  'a %s connection is closed in time when its server is gone and commands wait',
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
  5_000,
)
