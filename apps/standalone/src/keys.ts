import { generateKeyPair } from 'node:crypto'
import { access, mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { promisify } from 'node:util'

/**
 * Makes an RSA key pair if its private key is missing: `<stem>.pem`, for its owner alone, and
 * `<stem>.pub.pem`. Resolves with whether it was made now.
 */
export async function makeKeysOnce(stem: string): Promise<boolean> {
  const exists = await access(`${stem}.pem`).then(
    () => true,
    () => false,
  )
  if (exists) return false
  const pair = await promisify(generateKeyPair)('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  })
  await mkdir(dirname(stem), { recursive: true })
  await writeFile(`${stem}.pub.pem`, pair.publicKey)
  await writeFile(`${stem}.pem`, pair.privateKey, { mode: 0o600 })
  return true
}
