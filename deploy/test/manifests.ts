import { z } from 'zod'
import type { Manifest } from './helm.ts'

/** Everything that may be switched on, is. */
export const all = {
  redis: { mode: 'sentinel', addresses: ['a:26379', 'b:26379'], tls: true, username: 'placeorder' },
  shards: 2,
  replicasMin: 1,
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
    secret: {
      name: 'postgres',
      ownerKey: 'owner',
      archiverKey: 'archiver',
      ingressKey: 'reader',
      readKey: 'replica',
    },
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
export const Deployment = z.looseObject({
  spec: z.looseObject({ replicas: z.int().optional(), template: z.looseObject({ spec: Pod }) }),
})

/** The one manifest of this kind whose name ends so. */
export const named = (manifests: Manifest[], kind: string, end: string): Manifest => {
  const found = manifests.find((one) => one.kind === kind && one.metadata.name.endsWith(end))
  if (found === undefined) throw new Error(`there is no ${kind} …${end}`)
  return found
}
/** The pod of a Deployment. */
export const podOf = (manifests: Manifest[], end: string) =>
  Deployment.parse(named(manifests, 'Deployment', end)).spec.template.spec
/** The variables of a process; `secret` stands for a value out of a Secret. */
export const envOf = (manifests: Manifest[], end: string): Record<string, string> =>
  Object.fromEntries(
    podOf(manifests, end).containers[0].env.map(({ name, value }) => [name, value ?? 'secret']),
  )
