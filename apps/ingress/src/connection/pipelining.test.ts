import { type AddressInfo, connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { aPlaceOrder } from '@placeorder/testkit'
import { afterEach, expect, test } from 'vitest'
import { answerCodesIn } from '../../test/answer-codes-in.ts'
import { admitsAll, path, signedHeaders, testServer, testUse } from '../../test/test-server.ts'
import { Admission } from '../admission.ts'

const apps: ReturnType<typeof testServer>[] = []
afterEach(() => Promise.all(apps.splice(0).map((app) => app.close())))

/** A server that holds orders until `release`, and counts how many it holds now and at most. */
async function listen() {
  const released = Promise.withResolvers<void>()
  const held = { now: 0, most: 0 }
  const app = testServer({
    admission: new Admission({ ...admitsAll, waitMs: 60_000 }, () => 0),
    use: {
      ...testUse,
      waitMs: 60_000, // All 300 wait for the same release, on a busy machine for long.
      intake: {
        accept: async (incoming, signal) => {
          held.now += 1
          held.most = Math.max(held.most, held.now)
          await released.promise
          held.now -= 1
          return testUse.intake.accept(incoming, signal)
        },
      },
    },
  })
  apps.push(app)
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  return { socket: connect(port, '127.0.0.1'), held, release: released.resolve }
}

const orders = (count: number): string => {
  const body = JSON.stringify(aPlaceOrder())
  const lines = Object.entries(signedHeaders({ body })).map(([name, value]) => `${name}: ${value}`)
  const head = [`POST ${path} HTTP/1.1`, ...lines, `Content-Length: ${body.length}`].join('\r\n')
  return `${head}\r\n\r\n${body}`.repeat(count)
}

test('pipelined orders are all answered, 32 at a time', async () => {
  const { socket, held, release } = await listen()
  const answered = text(socket)
  socket.end(orders(300))
  await expect.poll(() => held.now, { timeout: 10_000 }).toBe(32)
  release()
  expect(answerCodesIn(await answered, path)).toEqual(Array(300).fill('SUCCESS'))
  expect(held.most).toBe(32)
})

test('a connection with thousands of requests in one packet is closed', async () => {
  const { socket } = await listen()
  socket.on('error', () => {}) // It is reset, since not all it sent was read.
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.resume()
  socket.write('GET / HTTP/1.1\r\n\r\n'.repeat(100_000))
  await closed
  expect(socket.bytesRead).toBeLessThan(300_000)
})
