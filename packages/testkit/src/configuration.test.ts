import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readEnvironment } from '@placeorder/config'
import { expect, test } from 'vitest'
import { ArchiverEnvironment } from '../../../apps/archiver/src/config.ts'
import { IngressEnvironment } from '../../../apps/ingress/src/config.ts'
import { NotifierEnvironment } from '../../../apps/notifier/src/config.ts'
import { OperatorEnvironment } from '../../../apps/operator/src/config.ts'
import { WorkerEnvironment } from '../../../apps/worker/src/config.ts'

const root = join(import.meta.dirname, '../../..')
const readers = {
  ingress: IngressEnvironment,
  worker: WorkerEnvironment,
  archiver: ArchiverEnvironment,
  notifier: NotifierEnvironment,
  operator: OperatorEnvironment,
}

type Variable = { readBy: string[]; defaults: Set<string> }

/** What is read, by whom, and what it is when it is not set; as one would write it. */
const read = new Map<string, Variable>()
for (const [app, schema] of Object.entries(readers)) {
  const defaults = new Map<string, unknown>(Object.entries(readEnvironment(schema, {})))
  for (const name of Object.keys(schema.shape)) {
    const variable = read.get(name) ?? { readBy: [], defaults: new Set() }
    const value = defaults.get(name) ?? ''
    variable.readBy.push(app)
    variable.defaults.add(Array.isArray(value) ? value.join(',') : String(value))
    read.set(name, variable)
  }
}

test('.env.example has every variable once, with its default; empty where apps differ', () => {
  const lines = readFileSync(join(root, '.env.example'), 'utf8').split('\n')
  const written = lines
    .flatMap((line) => (line === '' || line.startsWith('#') ? [] : [line]))
    .sort()
  const expected = [...read].map(([name, { defaults }]) => {
    const [value = '', ...others] = defaults
    return `${name}=${others.length === 0 ? value : ''}`
  })
  expect(written).toEqual(expected.sort())
})

test.each(['docs/configuration.md'])(
  '%s has every variable once, with its default and who reads it',
  (path) => {
    const text = readFileSync(join(root, path), 'utf8')
    const rows = [...text.matchAll(/^\| `([A-Z_]+)` \|([^|]*)\|([^|]*)\|/gm)]
    const written = rows.map(([, name = '', value = '', readBy = '']) => [
      name,
      value.trim(),
      readBy.trim(),
    ])
    const expected = [...read].map(([name, { readBy, defaults }]) => {
      const values = [...defaults].filter((value) => value !== '').map((value) => `\`${value}\``)
      return [name, values.join(', '), readBy.join(', ')]
    })
    expect(written.sort()).toEqual(expected.sort())
  },
)
