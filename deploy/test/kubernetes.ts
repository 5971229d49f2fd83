import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'
import type { Manifest } from './helm.ts'

const root = join(import.meta.dirname, '../..')

const Model = z.custom<new (manifest: Manifest) => { validate: () => void }>(
  (made) => typeof made === 'function',
)

/** The module with a kind's schema: Kubernetes' own, KEDA's or prometheus-operator's. */
function moduleOf({ apiVersion, kind }: Manifest): string {
  if (apiVersion.startsWith('keda.sh/')) return `@kubernetes-models/keda/${apiVersion}/${kind}`
  if (apiVersion.startsWith('monitoring.coreos.com/'))
    return `@kubernetes-models/prometheus-operator/${apiVersion}/${kind}`
  return `kubernetes-models/${apiVersion}/${kind}`
}

/** Rejects if a required field is missing or a value is not allowed by the schema. */
export async function validate(manifest: Manifest): Promise<void> {
  const module = z.record(z.string(), z.unknown()).parse(await import(moduleOf(manifest)))
  const Kind = Model.parse(module[manifest.kind])
  new Kind(manifest).validate()
}

/** Rejects if a manifest has an unknown field: the compiler compares it with the kind's type. */
export async function knowsAllFields(manifests: Manifest[]): Promise<void> {
  const lines = manifests.flatMap((manifest, at) => [
    `import type { I${manifest.kind} as Kind${at} } from '${moduleOf(manifest)}'`,
    `export const manifest${at}: Kind${at} = ${JSON.stringify(manifest)}`,
  ])
  const reports = join(root, 'deploy/.reports')
  await mkdir(reports, { recursive: true })
  const dir = await mkdtemp(join(reports, 'manifests-'))
  try {
    const file = join(dir, 'manifests.ts')
    await writeFile(file, lines.join('\n'))
    const options = [
      '--noEmit',
      '--strict',
      '--skipLibCheck',
      '--module',
      'nodenext',
      '--types',
      'node',
    ]
    await promisify(execFile)(join(root, 'node_modules/.bin/tsc'), [
      ...options,
      '--ignoreConfig',
      file,
    ])
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
