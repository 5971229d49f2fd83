import { beforeAll, describe, expect, test } from 'vitest'
import { NotifierEnvironment } from '../../apps/notifier/src/config.ts'
import { FETCH_MS_MAX, helmOf, helms, render } from './helm.ts'
import { knowsAllFields, validate } from './kubernetes.ts'
import { all, Deployment, envOf, named, podOf } from './manifests.ts'

let helm = ''
beforeAll(async () => {
  for (const version of helms) helm = await helmOf(version)
}, FETCH_MS_MAX)

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
