import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { IngressEnvironment } from '../../apps/ingress/src/config.ts'
import { WorkerEnvironment } from '../../apps/worker/src/config.ts'

const root = join(import.meta.dirname, '../..')
const Service = z.object({
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

test('nobody is killed while closing: grace periods are longer than DRAIN_MS or CHECKS_MS and 3 s', () => {
  const { DRAIN_MS } = services.ingress?.environment ?? {}
  expect(graceMs('ingress')).toBeGreaterThan(Number(DRAIN_MS) + 3_000)
  expect(graceMs('worker')).toBeGreaterThan(
    Number(WorkerEnvironment.shape.CHECKS_MS.parse(undefined)) + 3_000,
  )
})

test('the image is made of every workspace that runs in it', async () => {
  const ignored = await readFile(join(root, '.dockerignore'), 'utf8')
  const manifests = ['apps/ingress', 'apps/worker', 'apps/operator', 'apps/simulator']
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
