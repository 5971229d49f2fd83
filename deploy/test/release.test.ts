import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { NoRelease, releasedChangelog, releasedChart, versionIn } from '../src/release/release.ts'

const root = join(import.meta.dirname, '../..')
const chart = readFileSync(join(root, 'deploy/helm/placeorder/Chart.yaml'), 'utf8')

test('every package and the chart carry one version', () => {
  const manifests = globSync('{.,deploy,apps/*,packages/*}/package.json', { cwd: root })
  const versions = manifests.map(
    (path) => JSON.parse(readFileSync(join(root, path), 'utf8')).version as string,
  )
  const [version = ''] = versions
  expect(manifests.length).toBeGreaterThan(10)
  expect(new Set(versions).size).toBe(1)
  expect(releasedChart(chart, version)).toBe(chart)
})

test('a release moves what was unreleased under its version and date', () => {
  const text = '# Changelog\n\n## [Unreleased]\n\n### Added\n- a\n\n## [1.0.0] - 2026-01-01\n- b\n'
  expect(releasedChangelog(text, '1.1.0', '2026-02-03')).toBe(
    text.replace('## [Unreleased]\n', '## [Unreleased]\n\n## [1.1.0] - 2026-02-03\n'),
  )
})

test.each([
  ['nothing to release', '## [Unreleased]\n\n## [1.0.0] - 2026-01-01\n- b\n'],
  ['no unreleased section', '## [1.0.0] - 2026-01-01\n- b\n'],
])('a changelog with %s stops the release', (_what, text) => {
  expect(() => releasedChangelog(text, '1.1.0', '2026-02-03')).toThrow(NoRelease)
})

test.each([[[]], [['v1.2.0']], [['1.2']], [['1.2.0', 'now']]])('%j is not a release', (args) => {
  expect(() => versionIn(args)).toThrow(NoRelease)
})
