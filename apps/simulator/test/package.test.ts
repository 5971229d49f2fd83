import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pack } from '../src/pack.ts'
import { makeKeys, writeKeys } from './keys.ts'
import { SmallAcquirer } from './small-acquirer.ts'

const keys = makeKeys()
let files: Awaited<ReturnType<typeof writeKeys>>
let acquirer: SmallAcquirer
let dir: string
beforeAll(async () => {
  files = await writeKeys(keys)
  acquirer = await new SmallAcquirer(keys).listen()
  dir = await mkdtemp(join(tmpdir(), 'simulator-package-'))
  const tarball = await pack(join(dir, 'packed'))
  await writeFile(join(dir, 'package.json'), '{ "private": true }')
  await promisify(execFile)(
    'npm',
    ['install', '--no-audit', '--no-fund', '--prefer-offline', tarball],
    {
      cwd: dir,
    },
  )
}, 120_000)
afterAll(async () => {
  await acquirer[Symbol.asyncDispose]()
  await files[Symbol.asyncDispose]()
  await rm(dir, { recursive: true, force: true })
})

/** The folder of the Node that runs the package, if it is not this one. */
const { PATH = '', SIMULATOR_NODE = dirname(process.execPath) } = process.env

/** Runs the installed command in its folder. */
async function npx(...args: string[]) {
  const run = promisify(execFile)('npx', ['--no-install', 'placeorder-simulator', ...args], {
    cwd: dir,
    env: { ...process.env, PATH: `${SIMULATOR_NODE}:${PATH}` },
    maxBuffer: 16 * 2 ** 20,
  })
  const failed = (error: { code: number; stdout: string; stderr: string }) => error
  const { stdout, stderr, code } = { code: 0, ...(await run.catch(failed)) }
  return { stdout, stderr, code }
}

const callerArgs = () => [
  '--url',
  acquirer.url.href,
  '--key',
  files.key,
  '--server-key',
  files.serverKey,
]

describe('installed from its tarball in an empty folder', () => {
  test('it lists its commands', async () => {
    const { stdout, code } = await npx('--help')
    expect(code).toBe(0)
    for (const name of ['place', 'inquire', 'load', 'acceptance', 'keys', 'receive'])
      expect(stdout).toContain(`  ${name} `)
  })

  test('it places an order', async () => {
    const { stdout, code } = await npx('place', '--json', ...callerArgs())
    expect(JSON.parse(stdout).result).toMatchObject({ status: 'S', code: 'SUCCESS' })
    expect(code).toBe(0)
  })

  test('it runs the acceptance cases', async () => {
    const { stdout, code } = await npx('acceptance', '--json', ...callerArgs())
    const { passed, failed } = JSON.parse(stdout)
    expect(failed).toBe(0)
    expect(passed).toBeGreaterThan(200)
    expect(code).toBe(0)
  })

  test('it runs a load', async () => {
    const amount = ['--amount', '50', '--connections', '2']
    const { stdout, code } = await npx(
      'load',
      '--json',
      ...amount,
      '--report',
      join(dir, 'load.html'),
      ...callerArgs(),
    )
    expect(JSON.parse(stdout).met).toBe(true)
    expect(code).toBe(0)
    expect(await readFile(join(dir, 'load.html'), 'utf8')).toContain('All objectives met')
  })

  test('it exits with 2 on invalid arguments', async () => {
    const { stderr, code } = await npx('acceptance', '--sample', 'nothing.json')
    expect(code).toBe(2)
    expect(stderr).toContain('--help')
  })
})
