import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, test } from 'vitest'

const root = join(import.meta.dirname, '../../..')
const tracked = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
const paths = tracked.split('\n').filter((path) => path !== '' && existsSync(join(root, path)))
const files = paths.filter((path) => /\.(ts|lua)$/.test(path) && !path.includes('/fixtures/'))
/** All that is read by people: code, pages, and what runs it. */
const readFiles = paths.filter(
  (path) => /\.(ts|lua|md|ya?ml|tpl|sh)$/.test(path) && !path.includes('/fixtures/'),
)

type File = { path: string; text: string }

/** What a program is made of, except for what only some need. */
const common = ['protocol', 'decision', 'store', 'archive', 'config', 'telemetry']
const everything = [...common, 'events']

/** The workspaces that each workspace may import; tests may also import testkit. */
const mayImport: Record<string, string[]> = {
  'packages/protocol': [],
  'packages/decision': ['protocol'],
  'packages/config': ['protocol'],
  'packages/telemetry': [],
  'packages/store': ['protocol', 'decision', 'telemetry'],
  'packages/archive': ['protocol', 'decision', 'telemetry'],
  'packages/events': ['protocol', 'config'],
  'packages/local-services': [],
  'packages/testkit': [...common, 'local-services'],
  'apps/simulator': ['protocol'],
  'apps/standalone': [...common, 'local-services'],
}

/** The folders of the store: each may import from those after it, and from the files above them. */
const storeFolders = ['intake', 'decide', 'queue', 'outbox', 'orders', 'redis']
const folderOf = (path: string) => /^packages\/store\/src\/([a-z-]+)\//.exec(path)?.[1]
const speaksToRedis = ['packages/store', 'packages/testkit', 'apps/bench', 'apps/chaos']
const speaksToPostgres = ['packages/archive', 'packages/testkit', 'apps/bench', 'apps/chaos']
const forTests = ({ path }: File) =>
  /\.test\.ts$|\/test\//.test(path) || /^(packages\/testkit|apps\/(bench|chaos))\//.test(path)
const workspaceOf = ({ path }: File) => path.split('/').slice(0, 2).join('/')

const manifestOf = (file: File) =>
  readFileSync(join(root, workspaceOf(file), 'package.json'), 'utf8')

/** Words that have a plain one in their place: report, fix, reassign, without a job, calculate. */
const quaint = new RegExp(
  '(?<![a-z])(told|untold|tell|tells|telling|mend|mends|mended|mending|' +
    'entrust\\w*|orphan\\w*|disgrace\\w*|reckon\\w*|is no RSA)(?![a-z])',
  'i',
)

/** A text with the parts of its identifiers apart: `whatWasTold` is three words. */
const inWords = (text: string) => text.replaceAll(/([a-z\d])(?=[A-Z])/g, '$1 ').replaceAll('_', ' ')

const TITLE_LENGTH_MAX = 80
const COLUMNS_MAX = 100

/** The titles of a file's tests, as they are written. */
const titlesIn = (text: string) =>
  [
    ...text.matchAll(
      /(?:\b(?:test|describe)(?:\.\w+)?|\)|`)\(\s*'((?:[^'\\\n]|\\.)+)',?\s*(?:\{|async|\()/g,
    ),
  ].map(([, title = '']) => title)

/** Each rule gives what is wrong with a file, or nothing. */
const rules: Record<string, (file: File) => string | undefined> = {
  'imports go one way': (file) => {
    const allowed = [
      ...(mayImport[workspaceOf(file)] ?? everything),
      basename(workspaceOf(file)),
      ...(forTests(file) ? ['testkit', 'local-services'] : []),
    ]
    const taken = [...file.text.matchAll(/from '@placeorder\/([a-z-]+)/g)].map(
      ([, name = '']) => name,
    )
    return taken.find((name) => !allowed.includes(name))
  },
  'imports between folders of the store go one way': (file) => {
    const own = storeFolders.indexOf(folderOf(file.path) ?? '')
    if (own < 0 || forTests(file)) return undefined
    return [...file.text.matchAll(/from '\.\.\/([a-z-]+)\//g)]
      .map(([, name = '']) => name)
      .find((name) => storeFolders.indexOf(name) < own)
  },
  'only the store speaks to Redis': (file) =>
    speaksToRedis.includes(workspaceOf(file))
      ? undefined
      : /from '(ioredis|bullmq)/.exec(file.text)?.[1],
  'only the archive speaks to PostgreSQL': (file) =>
    speaksToPostgres.includes(workspaceOf(file))
      ? undefined
      : /from '(pg|kysely)['/]/.exec(file.text)?.[1],
  'the environment is read in main.ts': (file) =>
    forTests(file) || /(^|\/)(main|vitest\.config)\.ts$/.test(file.path)
      ? undefined
      : // What is meant for Node or libuv may be set elsewhere.
        /process\.env(?!\.\w+ \?\?= )/.exec(file.text)?.[0],
  'no module-level state': (file) =>
    forTests(file) || basename(file.path) === 'main.ts'
      ? undefined
      : /^(export )?(let|var) .*/m.exec(file.text)?.[0],
  'names say what is inside': ({ path }) =>
    path
      .split('/')
      .find((part) => /^(utils?|shared|common|helpers?|types|interfaces)(\.|$)/.test(part)),
  'files stay small': (file) =>
    forTests(file) || file.text.split('\n').length <= 301
      ? undefined
      : `${file.text.split('\n').length} lines`,
  'titles of tests are short': (file) =>
    file.path.endsWith('.test.ts')
      ? titlesIn(file.text).find((title) => title.length > TITLE_LENGTH_MAX)
      : undefined,
  'lines end within 100 columns': (file) => {
    const at = file.text.split('\n').findIndex((line) => line.length > COLUMNS_MAX)
    return at < 0 ? undefined : `line ${at + 1}`
  },
  'nothing is left for later': (file) =>
    file.path.endsWith('tidy.test.ts')
      ? undefined
      : /\b(TODO|FIXME|XXX)\b|\.(only|skip|todo)\(|@ts-(ignore|nocheck)/.exec(file.text)?.[0],
  'a test that runs alone is in a workspace that runs it alone': (file) =>
    file.path.endsWith('.alone.test.ts') && !/"test:alone"/.test(manifestOf(file))
      ? `${workspaceOf(file)}/package.json has no test:alone`
      : undefined,
  'SIGHUP ends no process': (file) =>
    /closeWithGrace\((?![^)]*skip: \['SIGHUP'\])/.exec(forTests(file) ? '' : file.text)?.[0],
  'every script has its contract on top': ({ path, text }) =>
    !path.endsWith('.lua') ||
    /^(?:#!lua .*\n)?--[\s\S]*?-- KEYS\[[\s\S]*?-- ARGV\[[\s\S]*?-- Returns/.test(text)
      ? undefined
      : 'no KEYS, ARGV, Returns',
  'keys have one home': (file) =>
    forTests(file) || !file.path.startsWith('packages/store/') || file.path.endsWith('/keys.ts')
      ? undefined
      : /[`'"]\{[su][^'"`]*\}/.exec(file.text)?.[0],
}

const broken = (name: string, all: File[]) =>
  all.flatMap((file) => rules[name]?.(file) ?? []).length

describe('the repository follows its rules', () => {
  const tree = files.map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
  test.each(Object.keys(rules))('%s', (name) => {
    const found = tree.flatMap((file) =>
      rules[name]?.(file) === undefined ? [] : [`${file.path}: ${rules[name]?.(file)}`],
    )
    expect(found).toEqual([])
  })
})

test('nobody has to learn words of our own', () => {
  const found = readFiles.flatMap((path) => {
    if (path.endsWith('tidy.test.ts')) return []
    const [word] = quaint.exec(inWords(readFileSync(join(root, path), 'utf8'))) ?? []
    return word === undefined ? [] : [`${path}: ${word}`]
  })
  expect(found).toEqual([])
})

test.each(['who is told', 'const wasTold = 1', 'onMended()', 'TOLD_MAX', 'reckoned', 'orphans'])(
  '"%s" has a word that one has to learn',
  (text) => {
    expect(quaint.test(inWords(text))).toBe(true)
  },
)

test.each(['amendment', 'recommends', 'intelligent'])('"%s" is plain', (text) => {
  expect(quaint.test(inWords(text))).toBe(false)
})

describe('each rule finds what breaks it', () => {
  test.each<[string, string, string]>([
    ['imports go one way', 'packages/protocol/src/a.ts', "import { x } from '@placeorder/store'"],
    ['imports go one way', 'apps/simulator/src/a.ts', "import { x } from '@placeorder/decision'"],
    ['imports go one way', 'apps/worker/src/a.ts', "import { x } from '@placeorder/testkit'"],
    [
      'imports go one way',
      'apps/worker/src/a.ts',
      "import { x } from '@placeorder/local-services'",
    ],
    [
      'imports between folders of the store go one way',
      'packages/store/src/orders/a.ts',
      "import { x } from '../queue/queues.ts'",
    ],
    ['only the store speaks to Redis', 'apps/worker/src/a.ts', "import { Queue } from 'bullmq'"],
    ['only the archive speaks to PostgreSQL', 'apps/worker/src/a.ts', "import { Pool } from 'pg'"],
    ['only the archive speaks to PostgreSQL', 'packages/store/src/a.ts', "from 'kysely/migration'"],
    ['the environment is read in main.ts', 'apps/worker/src/a.ts', 'const a = process.env.PORT'],
    ['no module-level state', 'apps/worker/src/a.ts', 'let count = 0'],
    ['names say what is inside', 'apps/worker/src/utils.ts', ''],
    ['files stay small', 'apps/worker/src/a.ts', '\n'.repeat(400)],
    [
      'titles of tests are short',
      'apps/worker/src/a.test.ts',
      `test('${'a'.repeat(81)}', () => {})`,
    ],
    [
      'titles of tests are short',
      'a.test.ts',
      `test.each([1])('${'a'.repeat(81)}', async () => {})`,
    ],
    ['lines end within 100 columns', 'apps/worker/src/a.ts', `// ${'a'.repeat(98)}`],
    ['nothing is left for later', 'apps/worker/src/a.ts', '// FIXME'],
    [
      'a test that runs alone is in a workspace that runs it alone',
      'packages/protocol/src/a.alone.test.ts',
      '',
    ],
    ['SIGHUP ends no process', 'apps/worker/src/main.ts', 'closeWithGrace({ delay }, end)'],
    ['every script has its contract on top', 'packages/store/src/lua/a.lua', 'return 1'],
    ['keys have one home', 'packages/store/src/a.ts', 'const key = `{s0}:order`'],
  ])('%s: %s', (name, path, text) => {
    expect(broken(name, [{ path, text }])).toBe(1)
  })
})
