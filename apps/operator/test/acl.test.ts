import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findRedisServer, startLocalRedis } from '@placeorder/local-services/redis'
import { connect, disconnect } from '@placeorder/store'
import { aPlaceOrder, openSystem, startProcess, testPostgres } from '@placeorder/testkit'
import { afterAll, expect, onTestFinished, test, vi } from 'vitest'

// Each process and command runs as a Redis user who may do exactly what docs/security.md lists.

const root = join(import.meta.dirname, '../../..')
const text = await readFile(join(root, 'docs/security.md'), 'utf8')
const rows = [...text.matchAll(/^\| (\w+) \| `(~[^`]+)` \|/gm)]
const ruleOf = new Map(rows.map(([, name = '', rule = '']) => [name, rule.replaceAll('\\|', '|')]))

const dir = await mkdtemp(join(tmpdir(), 'placeorder-acl-'))
const redis = await startLocalRedis(await findRedisServer(), { dir })
const system = await openSystem({ redisUrl: redis.url })
const connection = connect(system.address, 'patient')
afterAll(async () => {
  await disconnect(connection)
  await system.close()
  await redis.stop()
  await rm(dir, { recursive: true, force: true })
})

/** Makes a user with this rule, and returns the environment of a process that is this user. */
async function userOf(name: string, rule: string): Promise<Record<string, string>> {
  await connection.call('ACL', 'SETUSER', name, 'reset', 'on', '>secret', ...rule.split(' '))
  return { REDIS_URL: `redis://${name}:secret@127.0.0.1:${redis.port}` }
}

/** What Redis has denied, and to whom. */
const denied = async () => JSON.stringify(await connection.call('ACL', 'LOG'))

test('the rules of docs/security.md are all that processes and commands need', async () => {
  expect([...ruleOf.keys()].sort()).toEqual([
    'archive',
    'archiver',
    'directory',
    'events',
    'ingress',
    'notifier',
    'orders',
    'reshard',
    'worker',
  ])
  const env = new Map<string, Record<string, string>>()
  for (const [name, rule] of ruleOf) env.set(name, await userOf(name, rule))
  await connection.call('ACL', 'LOG', 'RESET')
  const [ingress, worker] = await Promise.all([
    system.startIngress(env.get('ingress')),
    system.startWorker(env.get('worker')),
  ])
  const order = aPlaceOrder({ codeValue: 'https://pay.example/281004040001' })
  expect((await ingress.place(order)).code).toBe('SUCCESS')
  expect((await ingress.place(order)).code).toBe('SUCCESS')
  const { acquirerId, pspId, paymentId } = order
  expect((await ingress.inquire({ acquirerId, pspId, paymentId })).code).toBe('SUCCESS')
  for (const { admin } of [ingress, worker]) {
    expect((await fetch(`${admin}/readyz`)).status).toBe(200)
    expect((await fetch(`${admin}/metrics`)).status).toBe(200)
  }
  const archive = await testPostgres()
  const archiveUrl = { ARCHIVE_URL: archive.url }
  await runCommand('archive', 'migrate')
  const archiver = startProcess({
    name: 'archiver',
    entry: 'apps/archiver/src/main.ts',
    env: { ...env.get('archiver'), ...archiveUrl, ADMIN_PORT: '0', ADMIN_HOST: '127.0.0.1' },
  })
  const { admin } = JSON.parse(await archiver.waitFor(/"archiving"/))
  expect((await ingress.place(aPlaceOrder())).code).toBe('SUCCESS')
  await vi.waitFor(async () => {
    const metrics = await (await fetch(`${admin}/metrics`)).text()
    expect(metrics).toMatch(/^placeorder_archived_orders_total [1-9]/m)
  }, 20_000)
  archiver.kill('SIGTERM')
  expect(await archiver.exited).toBe(0)
  await runCommand('archive', 'restore')
  const commands = [
    ['archive', 'status'],
    ['archive', 'backfill'],
    ['archive', 'verify'],
    ['archive', 'off'],
    ['orders', 'open'],
    ['orders', 'abandoned'],
    ['orders', 'show', paymentId],
    ['orders', 'release-code', order.codeValue, '--reason', 'a test', '--yes'],
    ['orders', 'released-codes'],
    ['directory', 'import', join(root, 'config/directory.json')],
  ] as const
  await Promise.all(commands.map(([name, ...args]) => runCommand(name, ...args)))
  await runCommand('archive', 'migrate') // It was switched off.
  await runCommand('directory', 'show', 'code', order.codeValue)
  await runCommand('directory', 'remove', 'code', order.codeValue)
  const notifier = await startNotifier()
  expect((await ingress.place(aPlaceOrder())).code).toBe('SUCCESS')
  await vi.waitFor(async () => {
    const metrics = await (await fetch(`${notifier.admin}/metrics`)).text()
    expect(metrics).toMatch(/^placeorder_events_delivered_total\{sink="lake"\} 1$/m)
    expect(metrics).toMatch(/^placeorder_events_retried\{sink="down"\} 1$/m)
  }, 20_000)
  notifier.kill('SIGTERM')
  expect(await notifier.exited).toBe(0)
  const ofEvents = [
    ['sinks'],
    ['deliveries', 'down'],
    ['dead', 'down'],
    ['replay', 'down', '--dead'],
    ['replay', 'down', '--id', paymentId],
    ['replay', 'down', '--since', '2026-03-14T09:00:00Z'],
  ] as const
  await Promise.all(ofEvents.map((args) => runCommand('events', ...args)))
  await runCommand('events', 'remove', 'down', '--yes')
  for (const one of [ingress, worker]) one.kill('SIGTERM')
  await Promise.all([ingress.exited, worker.exited])
  for (const shards of ['2', '1']) await runAs('reshard', 'archive', 'reshard', shards)
  await archive.close()
  expect(await denied()).toBe('[]')

  /** With a sink that takes its events, and one that is down. */
  async function startNotifier() {
    const EVENTS_FILE = join(dir, 'events.json')
    const sinks = [
      { name: 'lake', type: 'redis-stream', url: redis.url, stream: 'lake' },
      {
        name: 'down',
        type: 'webhook',
        url: 'http://127.0.0.1:1/',
        secrets: [`whsec_${Buffer.alloc(32).toString('base64')}`],
      },
    ]
    await writeFile(EVENTS_FILE, JSON.stringify({ sinks }))
    const own = { EVENTS_FILE, ADMIN_PORT: '0', ADMIN_HOST: '127.0.0.1' }
    const started = startProcess({
      name: 'notifier',
      entry: 'apps/notifier/src/main.ts',
      env: { ...env.get('notifier'), ...own },
    })
    const { admin: at } = JSON.parse(await started.waitFor(/"notifying"/))
    await vi.waitFor(async () => {
      expect(await (await fetch(`${at}/metrics`)).text()).toMatch(/sink="down",state="delivering"/)
    }, 20_000)
    return { ...started, admin: String(at) }
  }

  function runCommand(name: string, ...args: string[]): Promise<void> {
    return runAs(name, name, ...args)
  }

  async function runAs(user: string, name: string, ...args: string[]): Promise<void> {
    const entry = `apps/operator/src/${name}/main.ts`
    const command = startProcess({ name, entry, args, env: { ...env.get(user), ...archiveUrl } })
    expect([await command.exited, ...command.lines].slice(0, 1), String(command.lines)).toEqual([0])
  }
}, 180_000)

test('with DURABILITY=relaxed, a user without INFO and CONFIG is enough', async () => {
  await connection.flushall() // Without an archive, no order may have been forgotten.
  const another = await openSystem({ redisUrl: redis.url })
  onTestFinished(another.close)
  const user = await userOf('plain', '~* &* +@all -@dangerous')
  const relaxed = { ...user, DURABILITY: 'relaxed' }
  const ingress = await another.startIngress(relaxed)
  const worker = await another.startWorker(relaxed)
  for (const { admin, lines } of [ingress, worker]) {
    for (let round = 0; round < 3; round += 1)
      expect((await fetch(`${admin}/readyz`)).status).toBe(200)
    expect(lines.filter((line) => /\+info|INFO/.test(line))).toEqual([
      expect.stringContaining('allow +info'),
    ])
  }
  expect((await ingress.place(aPlaceOrder())).code).toBe('SUCCESS')
}, 120_000)
