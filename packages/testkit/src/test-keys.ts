import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyPairKeyObjectResult,
} from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { repositoryRoot } from '@placeorder/local-services/repository-root'

const dir = join(repositoryRoot, 'node_modules/.cache/test-keys')

/**
 * The RSA key pair of this name, for tests only. It is made once and kept beside other caches:
 * making one takes 0.2 s of CPU time, and each system of the tests has three.
 */
export async function testKeys(name: string): Promise<KeyPairKeyObjectResult> {
  const file = join(dir, `${name}.pem`)
  const kept = await readFile(file).catch(() => undefined)
  if (kept !== undefined) {
    const privateKey = createPrivateKey(kept)
    return { privateKey, publicKey: createPublicKey(privateKey) }
  }
  const made = generateKeyPairSync('rsa', { modulusLength: 2048 })
  await mkdir(dir, { recursive: true })
  // Whole at once, since other tests may read it. If two make one, either serves.
  const draft = `${file}.${process.pid}`
  await writeFile(draft, made.privateKey.export({ type: 'pkcs8', format: 'pem' }))
  await rename(draft, file)
  return made
}
