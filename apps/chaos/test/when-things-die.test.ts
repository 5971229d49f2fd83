import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../../..')

test('every test that docs/when-things-die.md names exists', async () => {
  const text = await readFile(join(root, 'docs/when-things-die.md'), 'utf8')
  const named = [...text.matchAll(/\]\(\.\.\/([\w/.-]+\.test\.ts) "([^"]*)"\)/g)]
  const missing: string[] = []
  for (const [, file = '', title = ''] of named) {
    const source = await readFile(join(root, file), 'utf8').catch(() => '')
    if (!source.includes(`'${title}'`)) missing.push(`${file}: ${title}`)
  }
  expect(named.length).toBeGreaterThan(20)
  expect(missing).toEqual([])
})
