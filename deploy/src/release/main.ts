import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { NoRelease, releasedChangelog, releasedChart, versionIn } from './release.ts'

const root = join(import.meta.dirname, '../../..')
const run = (command: string, ...args: string[]) =>
  execFileSync(command, args, { cwd: root, encoding: 'utf8' })

function rewrite(path: string, change: (text: string) => string): void {
  writeFileSync(join(root, path), change(readFileSync(join(root, path), 'utf8')))
}

try {
  const version = versionIn(process.argv.slice(2))
  if (run('git', 'status', '--porcelain') !== '')
    throw new NoRelease('the working tree has changes: commit or remove them first')
  const date = new Date().toISOString().slice(0, 10)
  rewrite('CHANGELOG.md', (text) => releasedChangelog(text, version, date))
  rewrite('deploy/helm/placeorder/Chart.yaml', (text) => releasedChart(text, version))
  const everywhere = ['--workspaces', '--include-workspace-root', '--no-git-tag-version']
  run('npm', 'version', version, ...everywhere)
  run('git', 'commit', '--all', '--quiet', '--message', `Release ${version}`)
  run('git', 'tag', '--annotate', `v${version}`, '--message', `placeorder ${version}`)
  console.log(`committed and tagged v${version}; publish it with: git push --follow-tags`)
} catch (error) {
  if (!(error instanceof NoRelease)) throw error
  console.error(error.message)
  process.exitCode = 1
}
