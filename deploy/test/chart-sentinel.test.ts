import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from '@placeorder/store'
import { openAuthority, startProcess, startSentinelPair } from '@placeorder/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { FETCH_MS_MAX, helmOf, helms, type Manifest, render } from './helm.ts'

const dir = await mkdtemp(join(tmpdir(), 'placeorder-chart-sentinel-'))
const closing: (() => unknown)[] = [() => rm(dir, { recursive: true, force: true })]
afterAll(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})
const authority = await openAuthority(dir, 'authority')
const [ofServer, ofClient] = [await authority.issue('server'), await authority.issue('client')]
const user = { name: 'watcher', password: 'who/is#master' }
const pair = await startSentinelPair({
  tls: { ca: authority.certFile, cert: ofServer.certFile, key: ofServer.keyFile },
  sentinelUser: user,
  args: ['--user', 'app', 'on', '>secret', '~*', '&*', '+@all'],
})
closing.push(pair.close)

/** What is in the Secrets that the values name. */
const secrets: Record<string, string> = {
  'redis password': 'secret',
  'sentinel word': user.password,
}
const values = {
  redis: {
    mode: 'sentinel',
    addresses: [pair.sentinel],
    sentinelMaster: pair.name,
    tls: true,
    username: 'app',
    passwordSecret: { name: 'redis', key: 'password' },
    sentinel: { username: user.name, passwordSecret: { name: 'sentinel', key: 'word' } },
    certificates: { secret: 'redis-tls', client: true },
  },
}

const Deployment = z.object({
  kind: z.literal('Deployment'),
  spec: z.object({
    template: z.object({
      spec: z.object({
        containers: z.tuple([
          z.looseObject({
            name: z.string(),
            env: z.array(
              z.object({
                name: z.string(),
                value: z.string().optional(),
                valueFrom: z
                  .object({ secretKeyRef: z.object({ name: z.string(), key: z.string() }) })
                  .optional(),
              }),
            ),
          }),
        ]),
      }),
    }),
  }),
})

/**
 * The environment of a container as Kubernetes makes it: secrets are read, and `$(NAME)` is what
 * came before.
 */
function environmentOf(manifests: Manifest[], name: string): Record<string, string> {
  const env: Record<string, string> = {}
  for (const manifest of manifests) {
    const [container] = Deployment.safeParse(manifest).data?.spec.template.spec.containers ?? []
    if (container?.name !== name) continue
    for (const { name: variable, value = '', valueFrom } of container.env) {
      const { name: secret, key } = valueFrom?.secretKeyRef ?? {}
      env[variable] = valueFrom
        ? (secrets[`${secret} ${key}`] ?? '')
        : value.replace(/\$\((\w+)\)/g, (_, before: string) => env[before] ?? '')
    }
  }
  return env
}

const [version = 'installed'] = helms
beforeAll(async () => {
  await helmOf(version)
}, FETCH_MS_MAX)

test('with Sentinel and TLS, pods of the chart use TLS to the master, as its user', async () => {
  const mounted = join(dir, 'redis-tls')
  await mkdir(mounted)
  await copyFile(authority.certFile, join(mounted, 'ca.crt'))
  await copyFile(ofClient.certFile, join(mounted, 'tls.crt'))
  await copyFile(ofClient.keyFile, join(mounted, 'tls.key'))
  const rendered = environmentOf(await render(await helmOf(version), values), 'worker')
  const here = Object.entries(rendered).map(([name, value]) => [
    name,
    value.replace('/redis-tls/', `${mounted}/`),
  ])
  const worker = startProcess({
    name: 'worker',
    entry: 'apps/worker/src/main.ts',
    env: { ...Object.fromEntries(here), POLICY_FILE: 'config/policy.json', ADMIN_PORT: '0' },
  })
  closing.push(async () => {
    worker.kill('SIGKILL')
    await worker.exited
  })
  await worker.waitFor(/"working"/)
  const plain = `redis://127.0.0.1:${pair.master.plain}`
  const address = { urls: [plain], cluster: false, sentinels: [], sentinelName: '' }
  const connection = connect(address, 'patient')
  const clients = String(await connection.call('CLIENT', 'LIST')).split('\n')
  connection.disconnect()
  const ports = clients
    .filter((line) => line.includes('user=app '))
    .map((line) => /laddr=\S+:(\d+)/.exec(line)?.[1])
  expect(new Set(ports)).toEqual(new Set([String(pair.master.seen)]))
}, 120_000)
