import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { ArchiverEnvironment } from '../../apps/archiver/src/config.ts'
import { IngressEnvironment } from '../../apps/ingress/src/config.ts'
import { NotifierEnvironment } from '../../apps/notifier/src/config.ts'
import { OperatorEnvironment } from '../../apps/operator/src/config.ts'
import { WorkerEnvironment } from '../../apps/worker/src/config.ts'

const root = join(import.meta.dirname, '../..')
const Service = z.object({
  image: z.string(),
  command: z.unknown().optional(),
  mem_limit: z.string().optional(),
  pids_limit: z.int().optional(),
  volumes: z.array(z.string()).default([]),
  environment: z.record(z.string(), z.unknown()).optional(),
  stop_grace_period: z
    .string()
    .regex(/^\d+s$/)
    .optional(),
})
const Compose = z.object({ services: z.record(z.string(), Service) })
const text = await readFile(join(root, 'docker-compose.yml'), 'utf8')
const { services } = Compose.parse(parse(text, { merge: true }))
const graceMs = (name: string) =>
  Number.parseInt(services[name]?.stop_grace_period ?? '', 10) * 1000

test('every variable it sets is one that an ingress or a worker reads', () => {
  const known = { ...IngressEnvironment.shape, ...WorkerEnvironment.shape }
  for (const name of ['ingress', 'worker']) {
    const set = Object.keys(services[name]?.environment ?? {})
    expect(set).toContain('REDIS_URL')
    expect(set.filter((variable) => !Object.hasOwn(known, variable))).toEqual([])
  }
})

test('every variable of the archiver and of its migration is one that it reads', () => {
  for (const [name, { shape }] of [
    ['archiver', ArchiverEnvironment],
    ['archive', OperatorEnvironment],
  ] as const) {
    const set = Object.keys(services[name]?.environment ?? {})
    expect(set).toContain('ARCHIVE_URL')
    const shared = Object.keys(services.worker?.environment ?? {})
    const own = set.filter((variable) => !shared.includes(variable))
    expect(own.filter((variable) => !Object.hasOwn(shape, variable))).toEqual([])
  }
})

test('without .env no archive is used, and nothing is forgotten', () => {
  const { archiver, ...others } = services
  const withDefaults = (variable: unknown) => String(variable).replace(/\$\{\w+:-([^}]*)\}/, '$1')
  for (const name of ['ingress', 'worker', 'notifier'])
    expect(withDefaults(others[name]?.environment?.ARCHIVE_URL)).toBe('')
  expect(withDefaults(others.ingress?.environment?.ARCHIVE_READ_URL)).toBe('')
  const { FORGET, KEEP_SECONDS } = archiver?.environment ?? {}
  expect(withDefaults(FORGET)).toBe('false')
  expect(withDefaults(KEEP_SECONDS)).toBe('86400')
})

test('every variable of the notifier is one that it reads', () => {
  const set = Object.keys(services.notifier?.environment ?? {})
  expect(set).toContain('EVENTS_FILE')
  const shared = Object.keys(services.worker?.environment ?? {})
  const own = set.filter((variable) => !shared.includes(variable))
  expect(own.filter((variable) => !Object.hasOwn(NotifierEnvironment.shape, variable))).toEqual([])
})

test('grace periods are longer than DRAIN_MS plus 10 s, and than CHECKS_MS plus 3 s', () => {
  const { DRAIN_MS } = services.ingress?.environment ?? {}
  expect(graceMs('ingress')).toBeGreaterThan(Number(DRAIN_MS) + 10_000)
  expect(graceMs('worker')).toBeGreaterThan(
    Number(WorkerEnvironment.shape.CHECKS_MS.parse(undefined)) + 3_000,
  )
  expect(graceMs('notifier')).toBeGreaterThan(18_000)
})

test('the image is made of every workspace that runs in it', async () => {
  const ignored = await readFile(join(root, '.dockerignore'), 'utf8')
  const manifests = [
    'apps/ingress',
    'apps/worker',
    'apps/archiver',
    'apps/notifier',
    'apps/operator',
    'apps/simulator',
  ]
  const asked = new Set(manifests)
  for (const manifest of asked) {
    const { dependencies } = z
      .object({ dependencies: z.record(z.string(), z.string()) })
      .parse(JSON.parse(await readFile(join(root, manifest, 'package.json'), 'utf8')))
    for (const name of Object.keys(dependencies)) {
      if (name.startsWith('@placeorder/')) asked.add(name.replace('@placeorder/', 'packages/'))
    }
  }
  expect([...asked].filter((folder) => !ignored.includes(`\n!${folder}\n`))).toEqual([])
})

test('every image is pinned, by digest or to an exact version', async () => {
  const dockerfile = await readFile(join(root, 'Dockerfile'), 'utf8')
  const [, node = ''] = /NODE_IMAGE=(\S+)/.exec(dockerfile) ?? []
  const images = [node, ...Object.values(services).map(({ image }) => image)]
  const ours = /^placeorder(-simulator)?:local$/
  // A version of PostgreSQL has two numbers.
  const pinned = /@sha256:[0-9a-f]{64}$|:v?\d+\.\d+\.\d+(-\w+)*$|^postgres:\d+\.\d+(-\w+)*$/
  expect(images.filter((image) => !ours.test(image) && !pinned.test(image))).toEqual([])
})

test('every service has limits of memory and processes', () => {
  const without = Object.entries(services).filter(([, { mem_limit, pids_limit }]) => {
    return mem_limit === undefined || pids_limit === undefined
  })
  expect(without).toEqual([])
})

test('Redis may fill half of its container, and needs the rest to rewrite its file', () => {
  const { command, mem_limit = '' } = services.redis ?? {}
  const [, gigabytes] = /--maxmemory (\d+)gb /.exec(String(command)) ?? []
  expect(2 * Number(gigabytes)).toBe(Number.parseInt(mem_limit, 10))
})

test('private keys are where they sign, read-only, and where they are made', () => {
  const mounts = (volume: string) =>
    Object.entries(services).flatMap(([name, { volumes }]) =>
      volumes.filter((mount) => mount.startsWith(`${volume}:`)).map((mount) => [name, mount]),
    )
  expect(mounts('signing')).toEqual([
    ['keys', 'signing:/app/.data/signing'],
    ['ingress', 'signing:/app/.data/signing:ro'],
  ])
  expect(mounts('keys')).toEqual([
    ['keys', 'keys:/app/.data/keys'],
    ['simulator', 'keys:/app/.data/keys:ro'],
  ])
})

test.each([
  [200, 0],
  [503, 1],
  ['nobody', 1],
] as const)(
  'the health check of a container whose /readyz answers %s exits with %i',
  async (status, code) => {
    const server = createServer((_request, reply) => void reply.writeHead(Number(status)).end())
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const { port } = server.address() as AddressInfo
    if (status === 'nobody') server.close()
    const child = spawn('bash', [join(root, 'deploy/compose/ready'), String(port)], {
      stdio: 'ignore',
    })
    expect(await once(child, 'exit')).toEqual([code, null])
    server.close()
  },
)
