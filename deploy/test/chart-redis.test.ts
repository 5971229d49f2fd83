import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { addressOf, readEnvironment, redisEnvironment } from '@placeorder/config'
import { beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { parseClients } from '../../apps/ingress/src/clients.ts'
import { parseRulebook } from '../../apps/worker/src/rulebook.ts'
import { FETCH_MS_MAX, helmOf, helms, type Manifest, render } from './helm.ts'
import { evaluate } from './promtool.ts'

const ScaledObject = z.object({
  kind: z.literal('ScaledObject'),
  spec: z.looseObject({
    triggers: z.array(
      z.looseObject({
        type: z.string(),
        metadata: z.looseObject({ query: z.string(), threshold: z.string() }),
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

const Env = z.array(z.looseObject({ name: z.string(), value: z.string().optional() }))
const Deployment = z.looseObject({
  kind: z.literal('Deployment'),
  spec: z.looseObject({
    template: z.looseObject({
      spec: z.looseObject({ containers: z.tuple([z.looseObject({ env: Env })]) }),
    }),
  }),
})

/** The variables of a process, but for those that come of a Secret. */
function envOf(manifests: Manifest[], end: string): Record<string, string> {
  const { spec } = Deployment.parse(
    manifests.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name.endsWith(end)),
  )
  const [{ env }] = spec.template.spec.containers
  return Object.fromEntries(
    env.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]])),
  )
}

let helm = ''
beforeAll(async () => {
  for (const version of helms) helm = await helmOf(version)
}, FETCH_MS_MAX)

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

/**
 * An ingress's orders in flight and the open ones, and how many each second are claimed and
 * refused.
 */
const loads = {
  idle: { inFlight: 0, open: 0, claimed: 0, refused: 0, waitMs: 0 },
  'as much as workers decide': { inFlight: 8, open: 6, claimed: 1_000, refused: 0, waitMs: 8 },
  'groups held back at an ingress': {
    inFlight: 30,
    open: 8,
    claimed: 20,
    refused: 0,
    waitMs: 1_500,
  },
  'orders refused besides': { inFlight: 15, open: 8, claimed: 20, refused: 20, waitMs: 1_500 },
  'a fast system that refuses one client': {
    inFlight: 8,
    open: 8,
    claimed: 1_000,
    refused: 1_000,
    waitMs: 16,
  },
  'callers answered without an outcome': {
    inFlight: 30,
    open: 400,
    claimed: 200,
    refused: 0,
    waitMs: 2_000,
  },
  'nothing decided': { inFlight: 16, open: 3_000, claimed: 0, refused: 0, waitMs: 3_000_000 },
}

test.each(Object.entries(loads))('the wait that KEDA scales by, with %s', async (_what, load) => {
  const [{ metadata } = { metadata: { query: '' } }, ...more] = triggersOf(await render(helm))
  expect(more).toEqual([])
  const [a, b] = ['namespace="default",pod="a"', 'namespace="default",pod="b"']
  const refused = 'endpoint="place",code="REQUEST_TRAFFIC_EXCEED_LIMIT"'
  const signing = 5
  const series = [
    [`placeorder_orders_in_flight{${a}}`, `${load.inFlight + signing}x40`],
    [`placeorder_signatures_in_flight{${a}}`, `${signing}x40`],
    [`placeorder_open_orders{${a}}`, `${load.open}x40`],
    [`placeorder_open_orders{${b}}`, `${load.open}x40`],
    [`placeorder_group_orders_sum{${a},kind="intake"}`, `0+${5 * load.claimed}x40`],
    [`placeorder_group_orders_sum{${b},kind="job"}`, '0+777777x40'],
    [`placeorder_answers_total{${a},${refused}}`, `0+${5 * load.refused}x40`],
    ['placeorder_open_orders{namespace="another"}', '99999x40'],
  ]
  await evaluate(metadata.query, {
    interval: '5s',
    series: Object.fromEntries(series),
    value: load.waitMs,
  })
})

test('two orders seen in flight once in 30 s start no workers', async () => {
  const [{ metadata } = { metadata: { query: '' } }] = triggersOf(await render(helm))
  const labels = '{namespace="default",pod="a"}'
  const series = {
    [`placeorder_orders_in_flight${labels}`]: '0x34 2 0x5',
    [`placeorder_signatures_in_flight${labels}`]: '0x40',
    [`placeorder_open_orders${labels}`]: '0x34 2 0x5',
    'placeorder_group_orders_sum{namespace="default",pod="a",kind="intake"}': '0x40',
  }
  await evaluate(`${metadata.query} < bool 1000`, {
    interval: '5s',
    series,
    value: 1,
  })
})

const processes = ['-ingress', '-worker']

test.each([
  ['single', ['a:6379'], { REDIS_URL: 'redis://a:6379' }],
  [
    'sentinel',
    ['a:26379', 'b:26379'],
    { REDIS_URL: 'redis://a:26379', REDIS_SENTINELS: 'a:26379,b:26379' },
  ],
  [
    'cluster',
    ['a:6379', 'b:6379'],
    { REDIS_URL: 'redis://a:6379,redis://b:6379', REDIS_CLUSTER: 'true' },
  ],
])(
  'Redis as %s: any password of the Secret is the one shown to it',
  async (mode, addresses, env) => {
    const redis = { mode, addresses, username: 'place:order' }
    for (const end of processes) {
      const rendered = envOf(await render(helm, { redis }), end)
      expect(rendered).toMatchObject(env)
      const given = { ...rendered, REDIS_PASSWORD: 'p@ss/w%rd#1, é' }
      const { urls } = addressOf(readEnvironment(z.object(redisEnvironment), given))
      for (const url of urls.map((text) => new URL(text))) {
        expect(decodeURIComponent(url.username)).toBe('place:order')
        expect(decodeURIComponent(url.password)).toBe('p@ss/w%rd#1, é')
      }
    }
  },
)

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
