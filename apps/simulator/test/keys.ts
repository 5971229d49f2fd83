import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Keys of a caller and an acquirer, made once per file: a pair takes 100 ms or more. */
export type TestKeys = {
  caller: KeyObject
  callerPublic: KeyObject
  acquirer: KeyObject
  acquirerPublic: KeyObject
}

export function makeKeys(): TestKeys {
  const caller = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const acquirer = generateKeyPairSync('rsa', { modulusLength: 2048 })
  return {
    caller: caller.privateKey,
    callerPublic: caller.publicKey,
    acquirer: acquirer.privateKey,
    acquirerPublic: acquirer.publicKey,
  }
}

/** Writes the two keys that a caller needs into a temporary folder. */
export async function writeKeys(
  keys: TestKeys,
): Promise<{ key: string; serverKey: string } & AsyncDisposable> {
  const dir = await mkdtemp(join(tmpdir(), 'simulator-'))
  const files = { key: join(dir, 'caller.pem'), serverKey: join(dir, 'acquirer.pub.pem') }
  await writeFile(files.key, keys.caller.export({ type: 'pkcs8', format: 'pem' }))
  await writeFile(files.serverKey, keys.acquirerPublic.export({ type: 'spki', format: 'pem' }))
  return { ...files, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) }
}
