import { beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { ArchiverEnvironment } from '../../apps/archiver/src/config.ts'
import { OperatorEnvironment } from '../../apps/operator/src/config.ts'
import { FETCH_MS_MAX, helmOf, helms, render } from './helm.ts'
import { all, Deployment, envOf, named, podOf } from './manifests.ts'

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

let helm = ''
beforeAll(async () => {
  for (const version of helms) helm = await helmOf(version)
}, FETCH_MS_MAX)

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

  test('is read by ingresses from a replica where its key is named', async () => {
    const manifests = await render(helm, all)
    const valueFrom = { secretKeyRef: { name: 'postgres', key: 'replica' } }
    const { env } = podOf(manifests, '-ingress').containers[0]
    expect(env).toContainEqual({ name: 'ARCHIVE_READ_URL', valueFrom })
    for (const end of ['-worker', '-archiver', '-notifier'])
      expect(envOf(manifests, end)).not.toHaveProperty('ARCHIVE_READ_URL')
    const { readKey: _replica, ...secret } = all.archive.secret
    const alone = await render(helm, { archive: { enabled: true, secret } })
    expect(envOf(alone, '-ingress')).not.toHaveProperty('ARCHIVE_READ_URL')
    expect(
      envOf(await render(helm, { archive: { secret: all.archive.secret } }), '-ingress'),
    ).not.toHaveProperty('ARCHIVE_READ_URL')
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
