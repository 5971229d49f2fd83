import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Prometheus's own checker (Debian: prometheus). Rejects with what it found wrong. */
export const promtool = (...args: string[]) => run('promtool', args, { timeout: 30_000 })

/** Rejects unless Prometheus can parse every expression. */
export async function parseAll(expressions: string[]): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'placeorder-promql-'))
  const rules = expressions.map((expr, at) => ({ record: `expression:${at}`, expr }))
  try {
    const file = join(dir, 'rules.json') // JSON is YAML too.
    await writeFile(file, JSON.stringify({ groups: [{ name: 'expressions', rules }] }))
    await promtool('check', 'rules', file)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
