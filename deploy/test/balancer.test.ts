import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '@placeorder/local-services/redis'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'

const config = await readFile(join(import.meta.dirname, '../compose/haproxy.cfg'), 'utf8')

/** What an ingress would be sent. */
const seen: Record<string, string | string[] | undefined>[] = []
const ingress = createServer((message, reply) => {
  seen.push(message.headers)
  reply.end()
})
let dir: string
let port: number
let stop: () => Promise<unknown>

/** The balancer of compose, on ports of this machine and with one ingress that is always ready. */
function onThisMachine(ingressPort: number, healthPort: number): string {
  return config
    .replace('bind :3000', `bind 127.0.0.1:${port}`)
    .replace('bind :8404', `bind 127.0.0.1:${healthPort}`)
    .replace(/resolvers docker\n(.+\n)+/, '')
    .replace(/ {2}(option httpchk|http-check|default-server) .*\n/g, '')
    .replace(/ {2}server-template .*/, `  server ingress 127.0.0.1:${ingressPort}`)
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'placeorder-balancer-'))
  await once(ingress.listen(0, '127.0.0.1'), 'listening')
  port = await freePort()
  const file = join(dir, 'haproxy.cfg')
  const { port: ingressPort } = ingress.address() as AddressInfo
  await writeFile(file, onThisMachine(ingressPort, await freePort()))
  const PATH = `${process.env.PATH}:/usr/sbin`
  const haproxy = spawn('haproxy', ['-f', file], { env: { PATH }, stdio: 'ignore' })
  const ended = once(haproxy, 'exit')
  stop = () => {
    haproxy.kill('SIGKILL')
    return ended
  }
  await vi.waitUntil(async () => (await post({}).catch(() => 0)) === 200, { timeout: 20_000 })
}, 30_000)
afterAll(async () => {
  await stop()
  ingress.close()
  await rm(dir, { recursive: true })
})

async function post(headers: Record<string, string | string[]>): Promise<number | undefined> {
  const sent = request({ host: '127.0.0.1', port, method: 'POST', path: '/', headers }).end('{}')
  const [answer] = await once(sent, 'response')
  answer.resume()
  return answer.statusCode
}

test.each([
  ['nothing', {}],
  ['an address', { 'X-Forwarded-For': '10.9.9.9' }],
  ['a chain of them', { 'x-forwarded-for': '203.0.113.7, 10.9.9.9' }],
  ['the header twice', { 'X-Forwarded-For': ['203.0.113.7', '10.9.9.9'] }],
  ['the standard one', { Forwarded: 'for=203.0.113.7' }],
])(
  'an ingress hears who called from the balancer alone: the caller says %s',
  async (_what, headers) => {
    expect(await post(headers)).toBe(200)
    expect(seen.at(-1)?.['x-forwarded-for']).toBe('127.0.0.1')
    expect(seen.at(-1)?.forwarded).toBeUndefined()
  },
)
