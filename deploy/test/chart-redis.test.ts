import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openIngressStore } from '@placeorder/store'
import { aPlaceOrder, testRedis } from '@placeorder/testkit'
import { beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { parseClients } from '../../apps/ingress/src/clients.ts'
import { parseRulebook } from '../../apps/worker/src/rulebook.ts'
import { helmOf, helms, type Manifest, render } from './helm.ts'

const ScaledObject = z.object({
  kind: z.literal('ScaledObject'),
  spec: z.looseObject({
    triggers: z.array(
      z.looseObject({
        type: z.string(),
        metadata: z.looseObject({ listName: z.string(), listLength: z.string() }),
      }),
    ),
  }),
})
const ConfigMap = z.looseObject({
  kind: z.literal('ConfigMap'),
  data: z.record(z.string(), z.string()),
})

const triggersOf = (manifests: Manifest[]) =>
  manifests.flatMap((one) => ScaledObject.safeParse(one).data?.spec.triggers ?? [])

let helm = ''
beforeAll(async () => {
  for (const version of helms) helm = await helmOf(version)
})

/** Writes a ConfigMap's files into a folder, as Kubernetes mounts them, and runs `body` there. */
async function mounted<T>(
  manifests: Manifest[],
  end: string,
  body: (dir: string) => Promise<T>,
): Promise<T> {
  const map = ConfigMap.parse(
    manifests.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name.endsWith(end)),
  )
  const dir = await mkdtemp(join(tmpdir(), 'placeorder-configmap-'))
  try {
    for (const [file, text] of Object.entries(map.data)) await writeFile(join(dir, file), text)
    return await body(dir)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

test('KEDA looks at the lists in which groups wait, in every shard', async () => {
  const lists = triggersOf(await render(helm, { shards: 2 })).map(
    ({ metadata }) => metadata.listName,
  )
  expect(lists).toHaveLength(2)
  const redis = await testRedis({ own: true })
  const address = { urls: [redis.url], cluster: false, sentinels: [], sentinelName: '' }
  const store = await openIngressStore({ address, shards: 2, onFault: () => {} })
  try {
    const take = () =>
      store.intake.takeIn({ order: aPlaceOrder(), clientId: 'CLIENT' }, AbortSignal.timeout(5_000))
    const waiting = () => Promise.all(lists.map((list) => store.connection.llen(list)))
    expect(await waiting()).toEqual([0, 0])
    while ((await waiting()).includes(0)) await take()
    expect((await waiting()).every((groups) => groups > 0)).toBe(true)
  } finally {
    await store.close()
    await redis.close()
  }
})

test.each([
  ['single', ['a:6379'], 'redis', { address: 'a:6379' }, 'redis://:$(REDIS_PASSWORD)@a:6379'],
  [
    'sentinel',
    ['a:26379', 'b:26379'],
    'redis-sentinel',
    { addresses: 'a:26379,b:26379', sentinelMaster: 'mymaster' },
    'redis://:$(REDIS_PASSWORD)@a:26379',
  ],
  [
    'cluster',
    ['a:6379', 'b:6379'],
    'redis-cluster',
    { addresses: 'a:6379,b:6379' },
    'redis://:$(REDIS_PASSWORD)@a:6379,redis://:$(REDIS_PASSWORD)@b:6379',
  ],
])('Redis as %s: processes and KEDA find it', async (mode, addresses, type, metadata, url) => {
  const manifests = await render(helm, { redis: { mode, addresses } })
  expect(triggersOf(manifests)).toMatchObject([{ type, metadata }])
  expect(JSON.stringify(manifests)).toContain(JSON.stringify({ name: 'REDIS_URL', value: url }))
})

test('an ingress reads the clients that the chart writes, with their keys', async () => {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const pem = publicKey.export({ type: 'spki', format: 'pem' })
  const keys = ['1', '2'].map((version) => ({ version, publicKey: pem }))
  const clients = [
    { clientId: 'C-1', acquirerIds: ['1020000000000000001'], addresses: ['10.0.0.0/8'], keys },
  ]
  await mounted(await render(helm, { clients }), '-clients', async (dir) => {
    const path = join(dir, 'clients.json')
    const known = await parseClients(await readFile(path, 'utf8'), path)
    expect(known.get('C-1')?.key('2')).toBeDefined()
    expect(known.get('C-1')?.mayCallFrom('10.1.2.3')).toBe(true)
  })
})

const seen = { inForce: () => {}, failed: () => {}, circuit: () => {} }

/** The example with the public key of a caller in it. */
const clientsWith = (publicKey: string) => ({
  clients: [
    {
      clientId: 'SANDBOX_5Y00000000000001',
      acquirerIds: ['1020000000000000001'],
      keys: [{ version: '1', publicKey }],
    },
  ],
})
const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const spki = publicKey.export({ type: 'spki', format: 'der' })
const testOnly = await readFile(
  join(import.meta.dirname, '../../packages/protocol/src/fixtures/test-only-key.pub.pem'),
  'utf8',
)

test.each([
  ['as it is', {}, /pub\.pem: is the placeholder of an example: put your own key in its place/],
  ['with the public key of the tests', clientsWith(testOnly), /private half is in placeorder's/],
])('the example %s starts no ingress, and says why', async (_how, values, fault) => {
  await mounted(await render(helm, values), '-clients', async (dir) => {
    const path = join(dir, 'clients.json')
    await expect(parseClients(await readFile(path, 'utf8'), path)).rejects.toThrow(fault)
  })
})

test("an ingress and a worker read the example with a caller's key in it", async () => {
  const manifests = await render(helm, clientsWith(spki.toString('base64')))
  await mounted(manifests, '-clients', async (dir) => {
    const path = join(dir, 'clients.json')
    await parseClients(await readFile(path, 'utf8'), path)
  })
  await mounted(manifests, '-policy', async (dir) => {
    const path = join(dir, 'policy.json')
    await parseRulebook(await readFile(path, 'utf8'), path, seen)
  })
})

test('a worker reads the policy that the chart writes, and a check beside it', async () => {
  const values = {
    policy: { checks: [{ name: 'night', module: './night.mjs', timeoutMs: 100, after: 'amount' }] },
    checkModules: { 'night.mjs': "export default () => 'SUCCESS'\n" },
  }
  await mounted(await render(helm, values), '-policy', async (dir) => {
    const path = join(dir, 'policy.json')
    const { checks } = await parseRulebook(await readFile(path, 'utf8'), path, seen)
    expect(checks).toHaveLength(1)
  })
})
