import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { FaultProxy } from './fault-proxy.ts'

const accepted: Socket[] = []
const echo = createServer((socket) => {
  accepted.push(socket)
  socket.on('error', () => {})
  socket.on('data', (data) => {
    received += data.toString()
    socket.write(data)
  })
})
let received = ''
let proxy: FaultProxy
const clients: Socket[] = []

beforeAll(() => once(echo.listen(0, '127.0.0.1'), 'listening'))
afterAll(() => void echo.close())
beforeEach(async () => {
  received = ''
  const address = echo.address()
  proxy = await FaultProxy.open({ port: typeof address === 'object' ? (address?.port ?? 0) : 0 })
})
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  await proxy.close()
  for (const socket of accepted.splice(0)) socket.destroy()
})

const closeOf = (socket: Socket) => new Promise((resolve) => socket.once('close', resolve))

/** Connects a client through the proxy. */
async function client(): Promise<{ socket: Socket; said: () => string; closed: Promise<string> }> {
  const socket = connect({ port: proxy.port, host: '127.0.0.1' })
  clients.push(socket)
  let said = ''
  socket.setEncoding('utf8').on('data', (data: string) => {
    said += data
  })
  const closed = new Promise<string>((resolve) => {
    let why = 'end'
    socket.on('error', (error: NodeJS.ErrnoException) => {
      why = error.code ?? error.message
    })
    socket.on('close', () => resolve(why))
  })
  await once(socket, 'connect')
  return { socket, said: () => said, closed }
}

/** Connects a client and waits for its first echo. */
async function talking() {
  const one = await client()
  one.socket.write('hello')
  await expect.poll(one.said).toBe('hello')
  return one
}

test('without a fault all data passes in both directions and in order', async () => {
  const { socket, said } = await client()
  const words = Array.from({ length: 2_000 }, (_, i) => `word ${i};`)
  for (const word of words) socket.write(word)
  await expect.poll(said).toBe(words.join(''))
})

test('slow: an answer is delayed in both directions, and stays in order', async () => {
  const { socket, said } = await talking()
  proxy.slow(60, 20)
  const started = performance.now()
  for (const word of ['a', 'b', 'c', 'd']) socket.write(word)
  await expect.poll(said, { interval: 1 }).toBe('helloabcd')
  // 2 × (60 - 20), less what timers round off.
  expect(performance.now() - started).toBeGreaterThan(75)
})

test('stalled: no data passes until it is healed, and then all of it does', async () => {
  const one = await talking()
  proxy.stall()
  one.socket.write(' held')
  const two = await client()
  two.socket.write('held too')
  await expect.poll(() => accepted.length).toBe(2)
  expect([one.said(), two.said()]).toEqual(['hello', ''])
  await proxy.heal()
  await expect.poll(one.said).toBe('hello held')
  await expect.poll(two.said).toBe('held too')
})

test('black hole: data is dropped silently, and its connections never work again', async () => {
  const one = await talking()
  proxy.blackHole()
  const two = await client()
  for (const { socket } of [one, two]) socket.write('lost')
  await expect.poll(() => proxy.swallowedBytes).toBe(8)
  await proxy.heal()
  one.socket.write('lost')
  await talking()
  await expect.poll(() => proxy.swallowedBytes).toBe(12)
  expect([one.said(), two.said(), received]).toEqual(['hello', '', 'hellohello'])
  expect([one.socket.destroyed, two.socket.destroyed]).toEqual([false, false])
})

test('refusing: connections are reset, new ones refused; once healed, all is served', async () => {
  const { closed } = await talking()
  const { port } = proxy
  await proxy.refuse()
  expect(await closed).toBe('ECONNRESET')
  const refused = connect({ port, host: '127.0.0.1' })
  const [error] = await once(refused, 'error')
  expect(error).toMatchObject({ code: 'ECONNREFUSED' })
  await proxy.heal()
  expect(proxy.port).toBe(port)
  await talking()
})

test('cut: both ends are notified', async () => {
  const { closed } = await talking()
  const ended = accepted.map(closeOf)
  proxy.cut()
  expect(await closed).toBe('ECONNRESET')
  await Promise.all(ended)
})

test('cut midway: half of what the client sends arrives, or half of the answer', async () => {
  const one = await talking()
  proxy.cutMidway('client')
  one.socket.write('12345678')
  await one.closed
  expect(received).toBe('hello1234')
  const two = await talking()
  proxy.cutMidway('server')
  two.socket.write('12345678')
  await two.closed
  expect(received).toBe('hello1234hello12345678')
  expect(two.said()).toMatch(/^hello(1234)?$/)
})

test.each(['client', 'server'] as const)(
  'half-open: with the %s gone, the other end is not notified',
  async (gone) => {
    const { socket, closed } = await talking()
    const served = accepted[0] as Socket
    const notified = gone === 'client' ? closed : closeOf(served)
    proxy.halfOpen(gone)
    await notified
    const left = gone === 'client' ? served : socket
    left.write('into the void')
    await talking() // New connections work, and by now the void would have answered.
    expect(left.destroyed).toBe(false)
    expect(received).toBe('hellohello')
  },
)
