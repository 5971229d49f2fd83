/** A version as npm and Helm read it, without a prefix. */
const Version = /^\d+\.\d+\.\d+$/

/** A release that cannot be made; the message says what to do. */
export class NoRelease extends Error {
  override readonly name = 'NoRelease'
}

/** @throws NoRelease when it is not a version such as 1.2.0 */
export function versionIn(args: readonly string[]): string {
  const [version, ...more] = args
  if (version !== undefined && more.length === 0 && Version.test(version)) return version
  throw new NoRelease('name one version such as 1.2.0: npm run release -- 1.2.0')
}

/**
 * The changelog with what was unreleased under the version's own heading; `date` is YYYY-MM-DD.
 *
 * @throws NoRelease when there is nothing to release
 */
export function releasedChangelog(text: string, version: string, date: string): string {
  const heading = '## [Unreleased]\n'
  const [before, after] = text.split(heading)
  if (before === undefined || after === undefined)
    throw new NoRelease(`CHANGELOG.md has no line "${heading.trim()}": put one above the first`)
  const [unreleased = ''] = after.split(/^## /m)
  if (unreleased.trim() === '')
    throw new NoRelease('CHANGELOG.md lists nothing under [Unreleased]: write what has changed')
  return `${before}${heading}\n## [${version}] - ${date}\n${after}`
}

/** The chart with the version as its own and as its application's. */
export const releasedChart = (text: string, version: string): string =>
  text
    .replace(/^version: .*$/m, `version: ${version}`)
    .replace(/^appVersion: .*$/m, `appVersion: ${version}`)
