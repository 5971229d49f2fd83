import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { IngressEnvironment } from '../../apps/ingress/src/config.ts'
import { WorkerEnvironment } from '../../apps/worker/src/config.ts'
import { FETCH_MS_MAX, helmOf, helms, lint, type Manifest, render } from './helm.ts'
import { knowsAllFields, validate } from './kubernetes.ts'
import { all, Deployment, envOf, named, podOf } from './manifests.ts'

/** Everything that may be switched off, is. */
const least = {
  redis: { passwordSecret: { name: '' } },
  ingress: { autoscaling: { enabled: false }, trustProxy: [] },
  worker: { keda: { enabled: false } },
  networkPolicy: { enabled: false },
  monitoring: { enabled: false, dashboard: false },
}

const Selector = z.object({ matchLabels: z.record(z.string(), z.string()) })
const Policy = z.looseObject({
  spec: z.looseObject({
    ingress: z.array(
      z.looseObject({
        ports: z.array(z.looseObject({ port: z.string() })),
        from: z
          .array(z.object({ podSelector: Selector, namespaceSelector: Selector }).partial())
          .optional(),
      }),
    ),
  }),
})

let helm = ''
beforeAll(async () => {
  for (const version of helms) helm = await helmOf(version)
}, FETCH_MS_MAX)

describe.each(helms)('with Helm %s', (version) => {
  test('the chart has no faults of style', async () => {
    await lint(await helmOf(version))
  })

  test('it renders what every Helm renders', async () => {
    const rendered = await render(await helmOf(version), all)
    expect(rendered).toHaveLength(24)
    const order = (manifests: Manifest[]) =>
      manifests.toSorted((a, b) =>
        `${a.kind}${a.metadata.name}`.localeCompare(`${b.kind}${b.metadata.name}`),
      )
    expect(order(rendered)).toEqual(order(await render(helm, all)))
  })

  test.each([
    ['no clients', { clients: [] }, 'clients'],
    ['no signing key', { signingKey: { secret: '' } }, 'secret'],
    ['a policy without limits', { policy: null }, 'policy'],
    ['a value that is misspelt', { ingress: { waitMillis: 3000 } }, 'waitMillis'],
    ['an address without a port', { redis: { addresses: ['redis'] } }, 'addresses'],
    ['a wait beyond what callers wait', { ingress: { waitMs: 6000 } }, 'waitMs'],
    ['an archive without a Secret', { archive: { enabled: true } }, 'name'],
    ['forgetting before a claim is decided', { archive: { keepSeconds: 60 } }, 'keepSeconds'],
    ['a notifier without a Secret', { notifier: { enabled: true } }, 'name'],
  ])('it refuses %s', async (_name, values, where) => {
    await expect(render(await helmOf(version), values)).rejects.toThrow(where)
  })
})

describe.each([
  ['everything on', all],
  ['everything off', least],
])('with %s', (_name, values) => {
  test('Kubernetes knows every field, and every value fits', async () => {
    const manifests = await render(helm, values)
    await Promise.all(manifests.map(validate))
    await knowsAllFields(manifests)
  })

  test.each([
    ['-ingress', IngressEnvironment],
    ['-worker', WorkerEnvironment],
  ])('the variables of …%s are known to it, and good', async (end, environment) => {
    const {
      ARCHIVE_URL: _url,
      ARCHIVE_READ_URL: _replica,
      ...env
    } = envOf(await render(helm, values), end)
    expect(
      Object.keys(env).filter((name) => !(name in environment.shape) && name !== 'REDIS_PASSWORD'),
    ).toEqual([])
    const { success, error } = environment.safeParse({ ...env, ADMIN_TOKEN: 'sixteen characters' })
    expect(error?.issues ?? []).toEqual([])
    expect(success).toBe(true)
  })

  test.each(['-ingress', '-worker'])(
    '…%s is not root, writes nothing, is probed, spread and budgeted',
    async (end) => {
      const manifests = await render(helm, values)
      const { topologySpreadConstraints } = podOf(manifests, end)
      expect(topologySpreadConstraints.map(({ topologyKey }) => topologyKey)).toEqual([
        'kubernetes.io/hostname',
        'topology.kubernetes.io/zone',
      ])
      expect(named(manifests, 'PodDisruptionBudget', end)).toMatchObject({
        spec: { maxUnavailable: 1 },
      })
    },
  )
})

test('the checks of manifests find what is wrong', async () => {
  const good = named(await render(helm), 'ServiceAccount', '')
  const spelt = { ...good, metadata: { name: 'a', lables: {} } }
  await expect(knowsAllFields([spelt])).rejects.toThrow()
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'a' },
    spec: { ports: [{ port: 'x' }] },
  }
  await expect(validate(service)).rejects.toThrow()
})

test('nobody is killed while closing', async () => {
  const manifests = await render(helm, {
    ingress: { drainMs: 20_000 },
    worker: { checksMs: 15_000 },
  })
  expect(podOf(manifests, '-ingress').terminationGracePeriodSeconds).toBeGreaterThanOrEqual(20 + 10)
  expect(podOf(manifests, '-worker').terminationGracePeriodSeconds).toBeGreaterThanOrEqual(15 + 3)
  const archiver = podOf(await render(helm, all), '-archiver')
  expect(archiver.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(13 + 3)
})

test('every process waits for the same number of replicas', async () => {
  const ends = ['-ingress', '-worker', '-archiver', '-notifier']
  const replicasMin = async (values: object) => {
    const manifests = await render(helm, values)
    return ends.map((end) => envOf(manifests, end).REPLICAS_MIN)
  }
  expect(await replicasMin(all)).toEqual(['1', '1', '1', '1'])
  const { replicasMin: _one, ...others } = all
  expect(await replicasMin(others)).toEqual(['0', '0', '0', '0'])
})

test('who scales sets the number of pods, and nobody else', async () => {
  const replicas = async (values: object) =>
    ['-ingress', '-worker'].map(
      async (end) =>
        Deployment.parse(named(await render(helm, values), 'Deployment', end)).spec.replicas,
    )
  expect(await Promise.all(await replicas({}))).toEqual([undefined, undefined])
  expect(await Promise.all(await replicas(least))).toEqual([2, 2])
})

test('only scrapers reach a worker, and only callers and they an ingress', async () => {
  const manifests = await render(helm, all)
  const ports = (end: string) => named(manifests, 'NetworkPolicy', end)
  expect(ports('-worker')).toMatchObject({ spec: { ingress: [{ ports: [{ port: 'admin' }] }] } })
  expect(ports('-ingress')).toMatchObject({
    spec: {
      ingress: [
        { ports: [{ port: 'orders' }], from: all.networkPolicy.callers },
        { ports: [{ port: 'admin' }] },
      ],
    },
  })
})

test('nobody reaches an admin port by default but Prometheus', async () => {
  const manifests = await render(helm)
  for (const end of ['-ingress', '-worker']) {
    const { ingress } = Policy.parse(named(manifests, 'NetworkPolicy', end)).spec
    const admin = ingress.filter(({ ports }) => ports.some(({ port }) => port === 'admin'))
    expect(admin).toHaveLength(1)
    const [{ from } = { from: [] }] = admin
    expect(from).toHaveLength(1)
    expect(from?.[0]?.podSelector?.matchLabels).toEqual({ 'app.kubernetes.io/name': 'prometheus' })
    expect(from?.[0]?.namespaceSelector?.matchLabels).toBeDefined()
  }
})

test('the alerts that fire in Kubernetes are those that are tested', async () => {
  const rule = named(await render(helm, all), 'PrometheusRule', '')
  const file = await readFile(join(import.meta.dirname, '../prometheus/alerts.yml'), 'utf8')
  expect(rule.spec).toEqual(parse(file))
})
