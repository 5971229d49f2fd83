import { createPrivateKey, createPublicKey } from 'node:crypto'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sign, verify } from '@placeorder/protocol'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { recorder } from '../../test/recorder.ts'
import { UsageError } from '../cli/command.ts'
import { command } from './command.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'keys-'))
})
afterEach(() => rm(dir, { recursive: true }))

const privateFile = () => join(dir, 'made', 'alipay-1.pem')
const publicFile = () => join(dir, 'made', 'alipay-1.pub.pem')
const make = (...args: string[]) =>
  command.run(['--out', join(dir, 'made'), ...args], recorder().terminal)

test('keys creates an RSA pair of 2048 bits whose halves match', async () => {
  expect(await make()).toBe(0)
  const key = createPrivateKey(await readFile(privateFile()))
  expect(key.asymmetricKeyDetails?.modulusLength).toBe(2048)
  const text = Buffer.from('text')
  expect(verify(text, createPublicKey(await readFile(publicFile())), await sign(text, key))).toBe(
    true,
  )
})

test('only the owner can read the private key', async () => {
  await make()
  expect((await stat(privateFile())).mode & 0o777).toBe(0o600)
})

test('an existing pair stays, unless --force is given', async () => {
  await make()
  const before = await readFile(privateFile(), 'utf8')
  await expect(make()).rejects.toThrow(UsageError)
  expect(await readFile(privateFile(), 'utf8')).toBe(before)
  expect(await make('--force')).toBe(0)
  expect(await readFile(privateFile(), 'utf8')).not.toBe(before)
  expect((await stat(privateFile())).mode & 0o777).toBe(0o600)
})

test('--json prints the paths of both files', async () => {
  const { terminal, out } = recorder()
  await command.run(['--out', dir, '--name', 'other', '--json'], terminal)
  expect(JSON.parse(out())).toEqual({
    privateKeyFile: join(dir, 'other.pem'),
    publicKeyFile: join(dir, 'other.pub.pem'),
  })
})

test('a name that leads to another folder is refused', async () => {
  await expect(make('--name', '../out')).rejects.toThrow(UsageError)
})

test('a folder that cannot be created is named in the error', async () => {
  await make()
  await expect(command.run(['--out', privateFile()], recorder().terminal)).rejects.toThrow('--out')
})
