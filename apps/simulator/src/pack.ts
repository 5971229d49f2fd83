import { execFile } from 'node:child_process'
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { rolldown } from 'rolldown'
import { z } from 'zod'
import { UsageError } from './cli/command.ts'
import { NODE_MIN } from './node-version.ts'

const app = join(import.meta.dirname, '..')
const root = join(app, '../..')

const Manifest = z.object({
  name: z.string(),
  version: z.string(),
  description: z.string(),
  license: z.string(),
  dependencies: z.record(z.string(), z.string()),
})

/** The docs that somebody with the package alone needs. */
const docs = [
  'acceptance.md',
  'acceptance-cases.md',
  'acceptance-report.png',
  'load-report.png',
  'PROTOCOL.md',
]

/**
 * Packs the simulator as a package that can be installed anywhere. It is compiled, since Node does
 * not strip types under node_modules. The bundle contains our protocol package, which is in no
 * registry; public dependencies stay outside of it.
 *
 * @param dir is emptied, and then holds the package's files and its tarball
 * @returns the path of the tarball
 */
export async function pack(dir: string): Promise<string> {
  const manifest = Manifest.parse(JSON.parse(await readFile(join(app, 'package.json'), 'utf8')))
  const dependencies = Object.fromEntries(
    Object.entries(manifest.dependencies).filter(([name]) => !name.startsWith('@placeorder/')),
  )
  await rm(dir, { recursive: true, force: true })
  await mkdir(dir, { recursive: true })
  await bundle(dir, Object.keys(dependencies))
  const packed = {
    ...manifest,
    type: 'module',
    bin: { 'placeorder-simulator': 'start.js' },
    files: ['*.js', 'docs'],
    engines: { node: `>=${NODE_MIN}` },
    dependencies,
  }
  await writeFile(join(dir, 'package.json'), `${JSON.stringify(packed, null, 2)}\n`)
  const readme = await readFile(join(app, 'README.md'), 'utf8')
  await writeFile(join(dir, 'README.md'), readme.replaceAll('../../docs/', 'docs/'))
  await mkdir(join(dir, 'docs'))
  for (const name of docs) await copyFile(join(root, 'docs', name), join(dir, 'docs', name))
  await copyFile(join(root, 'LICENSE'), join(dir, 'LICENSE'))
  const { stdout } = await promisify(execFile)('npm', ['pack', '--json', '--ignore-scripts'], {
    cwd: dir,
  })
  const [tarball] = z.tuple([z.object({ filename: z.string() })]).parse(JSON.parse(stdout))
  return join(dir, tarball.filename)
}

async function bundle(dir: string, external: string[]): Promise<void> {
  const build = await rolldown({
    input: join(app, 'src/start.ts'),
    platform: 'node',
    external: external.map((name) => new RegExp(`^${name}(/|$)`)),
  })
  try {
    await build.write({
      dir,
      format: 'esm',
      entryFileNames: '[name].js',
      chunkFileNames: '[name]-[hash].js',
    })
  } finally {
    await build.close()
  }
}

if (import.meta.main) {
  const [dir = join(app, 'dist'), ...rest] = process.argv.slice(2)
  if (rest.length > 0) throw new UsageError('pack [<dir>]')
  process.stdout.write(`${await pack(dir)}\n`)
}
