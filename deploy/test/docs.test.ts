import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')
const tracked = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.md'], {
  cwd: root,
  encoding: 'utf8',
})
const documents = tracked.split('\n').filter((path) => path !== '')

/** Links of a document to files of ours: their path from the root, and the heading they name. */
function linksIn(path: string): { link: string; file: string; heading: string | undefined }[] {
  const text = readFileSync(join(root, path), 'utf8').replaceAll(/```[\s\S]*?```/g, '')
  const links = [...text.matchAll(/\]\(([^)\s]+)(?: "[^"]*")?\)/g)].map(([, link = '']) => link)
  return links
    .filter((link) => !/^[a-z]+:/.test(link))
    .map((link) => {
      const [file = '', heading] = link.split('#')
      return { link, file: file === '' ? path : join(dirname(path), file), heading }
    })
}

/** A heading as it is linked to: in lower case, with dashes for spaces and without other signs. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')

const anchorsIn = (path: string): string[] =>
  [...readFileSync(join(root, path), 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    anchorOf(heading),
  )

test.each(documents)('every link of %s leads somewhere', (path) => {
  const broken = linksIn(path).filter(
    ({ file, heading }) =>
      !existsSync(join(root, file)) ||
      (heading !== undefined && !anchorsIn(file).includes(heading)),
  )
  expect(broken.map(({ link }) => link)).toEqual([])
})

test('the index names every document', () => {
  const named = linksIn('docs/README.md').map(({ file }) => file)
  const ours = documents.filter(
    (path) => /^docs\/[^/]+\.md$/.test(path) && path !== 'docs/README.md',
  )
  expect(ours.filter((path) => !named.includes(path))).toEqual([])
})
