import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { ArchiverEnvironment } from '../../apps/archiver/src/config.ts'
import { IngressEnvironment } from '../../apps/ingress/src/config.ts'
import { NotifierEnvironment } from '../../apps/notifier/src/config.ts'
import { OperatorEnvironment } from '../../apps/operator/src/config.ts'
import { WorkerEnvironment } from '../../apps/worker/src/config.ts'
import { FETCH_MS_MAX, helmOf, helms, lint, type Manifest, render } from './helm.ts'
import { knowsAllFields, validate } from './kubernetes.ts'

/** Everything that may be switched on, is. */
const all = {
  redis: { mode: 'sentinel', addresses: ['a:26379', 'b:26379'], tls: true, username: 'placeorder' },
  shards: 2,
  imagePullSecrets: [{ name: 'registry' }],
  otlpEndpoint: 'http://otel:4318',
  ingress: {
    tls: { secret: 'tls', clientCa: true },
    env: { OPEN_ORDERS_MAX: '1000000' },
    service: { type: 'LoadBalancer', annotations: { a: 'b' } },
  },
  worker: { adminToken: { secret: 'token' } },
  archive: {
    enabled: true,
    secret: { name: 'postgres', ownerKey: 'owner', archiverKey: 'archiver', ingressKey: 'reader' },
    certificates: { secret: 'postgres-tls' },
    another: true,
    forget: true,
    keepSeconds: 3_600,
    requestsKeepMonths: 13,
  },
  notifier: { enabled: true, secret: { name: 'sinks' }, env: { EVENTS_KEEP_DAYS: '3' } },
  checkModules: { 'night.mjs': "export default () => 'SUCCESS'\n" },
  networkPolicy: {
    callers: [{ ipBlock: { cidr: '10.0.0.0/8' } }],
    postgres: [{ ipBlock: { cidr: '10.1.0.0/16' } }],
    postgresPorts: [6432],
    receivers: [{ ipBlock: { cidr: '10.2.0.0/16' } }],
    receiverPorts: [8443],
    egress: [{ to: [{ podSelector: {} }] }],
  },
  monitoring: { enabled: true, dashboard: true, labels: { release: 'prometheus' } },
  nodeSelector: { pool: 'orders' },
  tolerations: [{ key: 'orders', operator: 'Exists' }],
  podAnnotations: { a: 'b' },
}
/** Everything that may be switched off, is. */
const least = {
  redis: { passwordSecret: { name: '' } },
  ingress: { autoscaling: { enabled: false }, trustProxy: [] },
  worker: { keda: { enabled: false } },
  networkPolicy: { enabled: false },
  monitoring: { enabled: false, dashboard: false },
}

const Pod = z.looseObject({
  terminationGracePeriodSeconds: z.int(),
  automountServiceAccountToken: z.literal(false),
  securityContext: z.looseObject({ runAsNonRoot: z.literal(true), runAsUser: z.int().min(1) }),
  topologySpreadConstraints: z.array(z.looseObject({ topologyKey: z.string() })),
  containers: z.tuple([
    z.looseObject({
      env: z.array(z.looseObject({ name: z.string(), value: z.string().optional() })),
      startupProbe: z.object({}),
      livenessProbe: z.looseObject({
        httpGet: z.object({ path: z.literal('/livez'), port: z.literal('admin') }),
      }),
      readinessProbe: z.looseObject({
        httpGet: z.object({ path: z.literal('/readyz'), port: z.literal('admin') }),
      }),
      resources: z.object({ requests: z.object({ cpu: z.string(), memory: z.string() }) }),
      securityContext: z.object({
        allowPrivilegeEscalation: z.literal(false),
        readOnlyRootFilesystem: z.literal(true),
        capabilities: z.object({ drop: z.tuple([z.literal('ALL')]) }),
      }),
    }),
  ]),
})
const Deployment = z.looseObject({
  spec: z.looseObject({ replicas: z.int().optional(), template: z.looseObject({ spec: Pod }) }),
})

const Command = z.looseObject({
  restartPolicy: z.literal('Never'),
  automountServiceAccountToken: z.literal(false),
  securityContext: z.looseObject({ runAsNonRoot: z.literal(true) }),
  containers: z.tuple([
    z.looseObject({
      args: z.array(z.string()),
      env: z.array(z.looseObject({ name: z.string(), value: z.string().optional() })),
      securityContext: z.looseObject({ readOnlyRootFilesystem: z.literal(true) }),
    }),
  ]),
})
const Template = z.looseObject({ template: z.looseObject({ spec: Command }) })
const Job = z.looseObject({ spec: Template })
const CronJob = z.looseObject({
  spec: z.looseObject({ schedule: z.string(), jobTemplate: z.looseObject({ spec: Template }) }),
})

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

const named = (manifests: Manifest[], kind: string, end: string): Manifest => {
  const found = manifests.find((one) => one.kind === kind && one.metadata.name.endsWith(end))
  if (found === undefined) throw new Error(`there is no ${kind} …${end}`)
  return found
}
const podOf = (manifests: Manifest[], end: string) =>
  Deployment.parse(named(manifests, 'Deployment', end)).spec.template.spec
const envOf = (manifests: Manifest[], end: string): Record<string, string> =>
  Object.fromEntries(
    podOf(manifests, end).containers[0].env.map(({ name, value }) => [name, value ?? 'secret']),
  )

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
    const { ARCHIVE_URL: _ofSecret, ...env } = envOf(await render(helm, values), end)
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

describe('the archive', () => {
  test('is off by default, and then nobody knows of it', async () => {
    const manifests = await render(helm)
    const names = manifests.map(({ kind, metadata }) => `${kind} ${metadata.name}`)
    expect(names.filter((name) => /Job|archive/.test(name))).toEqual([])
    expect(envOf(manifests, '-ingress')).not.toHaveProperty('ARCHIVE_URL')
    const policies = manifests.filter(({ kind }) => kind === 'NetworkPolicy')
    expect(JSON.stringify(policies)).not.toContain('5432')
  })

  test('is written by two archivers, whose variables are known to them, and good', async () => {
    const manifests = await render(helm, all)
    const { replicas } = Deployment.parse(named(manifests, 'Deployment', '-archiver')).spec
    expect(replicas).toBe(2)
    const env = envOf(manifests, '-archiver')
    expect(Object.keys(env).filter((name) => !(name in ArchiverEnvironment.shape))).toEqual([])
    const given = { ...env, ARCHIVE_URL: 'postgres://db/placeorder' }
    expect(ArchiverEnvironment.safeParse(given).error?.issues ?? []).toEqual([])
    expect(env).toMatchObject({ FORGET: 'true', KEEP_SECONDS: '3600' })
    expect(podOf(manifests, '-archiver').containers[0]).toMatchObject({
      ports: [{ name: 'admin', containerPort: Number(env.ADMIN_PORT) }],
    })
  })

  test('forgets nothing until that is turned on, and has the defaults', async () => {
    const { secret } = all.archive
    const env = envOf(await render(helm, { archive: { enabled: true, secret } }), '-archiver')
    expect(env).toMatchObject({ FORGET: 'false', KEEP_SECONDS: '86400' })
    const given = { ARCHIVE_URL: 'postgres://db/placeorder' }
    const defaults = ArchiverEnvironment.parse(given)
    expect(ArchiverEnvironment.parse({ ...env, ...given })).toMatchObject({
      FORGET: defaults.FORGET,
      KEEP_SECONDS: defaults.KEEP_SECONDS,
    })
  })

  test('is migrated before an installation or upgrade, and maintained daily', async () => {
    const manifests = await render(helm, all)
    const job = named(manifests, 'Job', '-migrate')
    expect(job.metadata.annotations).toMatchObject({ 'helm.sh/hook': 'pre-install,pre-upgrade' })
    const { schedule, jobTemplate } = CronJob.parse(named(manifests, 'CronJob', '-maintain')).spec
    expect(schedule).toMatch(/^\d+ \d+ \* \* \*$/)
    for (const [{ template }, args] of [
      [Job.parse(job).spec, ['migrate', '--another']],
      [jobTemplate.spec, ['maintain']],
    ] as const) {
      // Before an installation there is no ServiceAccount of the chart.
      expect(template.spec).not.toHaveProperty('serviceAccountName')
      const [{ args: given, env }] = template.spec.containers
      expect(given).toEqual(['apps/operator/src/archive/main.ts', ...args])
      const names = env.map(({ name }) => name)
      const known = { ...OperatorEnvironment.shape, ...ArchiverEnvironment.shape }
      expect(names.filter((name) => !(name in known))).toEqual([])
      expect(env).toContainEqual({ name: 'REQUESTS_KEEP_MONTHS', value: '13' })
    }
  })

  test('is reached by each process as the role that it has', async () => {
    const manifests = await render(helm, all)
    const { spec } = Job.parse(named(manifests, 'Job', '-migrate')).spec.template
    for (const [env, key] of [
      [spec.containers[0].env, 'owner'],
      [podOf(manifests, '-archiver').containers[0].env, 'archiver'],
      [podOf(manifests, '-ingress').containers[0].env, 'reader'],
      [podOf(manifests, '-worker').containers[0].env, 'reader'],
    ] as const) {
      const valueFrom = { secretKeyRef: { name: 'postgres', key } }
      expect(env).toContainEqual({ name: 'ARCHIVE_URL', valueFrom })
    }
  })

  test('is in reach of all who use it', async () => {
    const manifests = await render(helm, all)
    const rule = { ports: [{ port: 6432, protocol: 'TCP' }], to: all.networkPolicy.postgres }
    for (const end of ['-ingress', '-worker', '-archiver', '-archive'])
      expect(named(manifests, 'NetworkPolicy', end).spec).toMatchObject({
        egress: expect.arrayContaining([rule]),
      })
    expect(named(manifests, 'NetworkPolicy', '-archive').spec).toMatchObject({ ingress: [] })
  })
})

describe('the notifier', () => {
  test('is off by default, and then nobody knows of it', async () => {
    const names = (await render(helm)).map(({ kind, metadata }) => `${kind} ${metadata.name}`)
    expect(names.filter((name) => /notifier/.test(name))).toEqual([])
  })

  test('runs twice with variables that are known to it, and good', async () => {
    const manifests = await render(helm, all)
    const { replicas } = Deployment.parse(named(manifests, 'Deployment', '-notifier')).spec
    expect(replicas).toBe(2)
    const env = envOf(manifests, '-notifier')
    expect(Object.keys(env).filter((name) => !(name in NotifierEnvironment.shape))).toEqual([])
    expect(env.EVENTS_KEEP_DAYS).toBe('3')
    const given = { ...env, ARCHIVE_URL: 'postgres://db/placeorder' }
    expect(NotifierEnvironment.safeParse(given).error?.issues ?? []).toEqual([])
    const pod = podOf(manifests, '-notifier')
    expect(pod.containers[0]).toMatchObject({
      ports: [{ name: 'admin', containerPort: Number(env.ADMIN_PORT) }],
    })
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(18 + 3)
    expect(named(manifests, 'PodDisruptionBudget', '-notifier')).toMatchObject({
      spec: { maxUnavailable: 1 },
    })
  })

  test('reads its sinks from a Secret that is mounted as a folder', async () => {
    const manifests = await render(helm, all)
    expect(envOf(manifests, '-notifier').EVENTS_FILE).toBe('/events/events.json')
    const { containers, volumes } = podOf(manifests, '-notifier')
    expect(volumes).toContainEqual({
      name: 'events',
      secret: { secretName: 'sinks', defaultMode: 0o440 },
    })
    const mount = { name: 'events', mountPath: '/events', readOnly: true }
    expect(containers[0].volumeMounts).toContainEqual(mount)
    for (const end of ['-ingress', '-worker', '-archiver'])
      expect(JSON.stringify(podOf(manifests, end))).not.toContain('sinks')
  })

  test('only reads the archive, and reaches receivers as nobody else does', async () => {
    const manifests = await render(helm, all)
    expect(podOf(manifests, '-notifier').containers[0].env).toContainEqual({
      name: 'ARCHIVE_URL',
      valueFrom: { secretKeyRef: { name: 'postgres', key: 'reader' } },
    })
    const receivers = {
      ports: [{ port: 8443, protocol: 'TCP' }],
      to: all.networkPolicy.receivers,
    }
    const postgres = { ports: [{ port: 6432, protocol: 'TCP' }], to: all.networkPolicy.postgres }
    expect(named(manifests, 'NetworkPolicy', '-notifier').spec).toMatchObject({
      ingress: [{ ports: [{ port: 'admin' }] }],
      egress: expect.arrayContaining([receivers, postgres]),
    })
    for (const end of ['-ingress', '-worker', '-archiver'])
      expect(JSON.stringify(named(manifests, 'NetworkPolicy', end))).not.toContain('8443')
  })

  test('lets events be pulled where it has a token, by those who may', async () => {
    const token = { secret: 'token', key: 'pull' }
    const pullers = [{ ipBlock: { cidr: '10.3.0.0/16' } }]
    const manifests = await render(helm, {
      notifier: { enabled: true, secret: { name: 'sinks' }, token },
      networkPolicy: { pullers },
    })
    await Promise.all(manifests.map(validate))
    await knowsAllFields(manifests)
    const valueFrom = { secretKeyRef: { name: 'token', key: 'pull' } }
    const pod = podOf(manifests, '-notifier').containers[0]
    expect(pod.env).toContainEqual({ name: 'EVENTS_TOKEN', valueFrom })
    const { EVENTS_PORT, ...env } = envOf(manifests, '-notifier')
    expect(Object.keys(env).filter((name) => !(name in NotifierEnvironment.shape))).toEqual([])
    expect(pod.ports).toContainEqual({ name: 'events', containerPort: Number(EVENTS_PORT) })
    expect(named(manifests, 'Service', '-notifier').spec).toMatchObject({
      ports: [{ port: 9104, targetPort: 'events' }],
    })
    expect(named(manifests, 'NetworkPolicy', '-notifier').spec).toMatchObject({
      ingress: [{ ports: [{ port: 'events' }], from: pullers }, { ports: [{ port: 'admin' }] }],
    })
  })

  test('needs no archive and no certificates', async () => {
    const manifests = await render(helm, { notifier: { enabled: true, secret: { name: 'sinks' } } })
    await Promise.all(manifests.map(validate))
    await knowsAllFields(manifests)
    expect(envOf(manifests, '-notifier')).not.toHaveProperty('ARCHIVE_URL')
    expect(podOf(manifests, '-notifier').volumes).toHaveLength(1)
  })
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
