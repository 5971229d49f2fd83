import { createPrivateKey } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { ConfigFault, orFault } from '@placeorder/config'
import { z } from 'zod'
import type { SigningKey } from './signer.ts'

/** Which key signs, and the version callers know it by: in one file, so that both change at once. */
export const SigningKeyFile = z.strictObject({
  version: z.string().regex(/^\d{1,9}$/, 'must be a whole number in a string'),
  privateKeyFile: z.string().min(1),
})

/** RSA keys below this many bits are refused: PROTOCOL.md asks for 2048 or more. */
const KEY_BITS_MIN = 2_048

/**
 * Reads our signing key: from a PEM, which callers know as `version`; or from JSON that names version and PEM, whose
 * path is relative to it.
 *
 * @throws ConfigFault when it is neither, or no RSA private key of 2048 bits or more
 */
export async function parseSigningKey(
  text: string,
  path: string,
  version: string,
): Promise<SigningKey> {
  if (!text.trimStart().startsWith('{')) return keyOf(text, path, version)
  const file = SigningKeyFile.safeParse(jsonOf(text, path))
  if (!file.success)
    throw new ConfigFault(
      file.error.issues.map((issue) => `${path}: ${issue.path.join('.')}: ${issue.message}`),
    )
  const keyFile = resolve(dirname(path), file.data.privateKeyFile)
  const pem = await readFile(keyFile, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new ConfigFault([`${keyFile}: cannot be read (${cause.code})`])
  })
  return keyOf(pem, keyFile, file.data.version)
}

function keyOf(pem: string, path: string, version: string): SigningKey {
  const key = orFault(() => createPrivateKey(pem), `${path}: is no private key in PEM`)
  if (
    key.asymmetricKeyType !== 'rsa' ||
    (key.asymmetricKeyDetails?.modulusLength ?? 0) < KEY_BITS_MIN
  ) {
    throw new ConfigFault([`${path}: must be an RSA key of ${KEY_BITS_MIN} bits or more`])
  }
  return { key, version }
}

const jsonOf = (text: string, path: string): unknown =>
  orFault(() => JSON.parse(text), `${path}: is neither a key in PEM nor JSON`)
