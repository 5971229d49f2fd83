import { dirname, resolve } from 'node:path'
import { ConfigFault, jsonOf, type ReadFile, textOf } from '@placeorder/config'
import { readPrivateKey } from '@placeorder/protocol'
import { z } from 'zod'
import { keyIn } from '../key-in.ts'
import type { SigningKey } from './signer.ts'

/** Which key signs, and the version callers know it by: in one file, so that both change at once. */
export const SigningKeyFile = z.strictObject({
  version: z.string().regex(/^\d{1,9}$/, 'must be a whole number in a string'),
  privateKeyFile: z.string().min(1),
})

/**
 * Reads our signing key: from a key file, which callers know as `version`; or from JSON that names
 * version and key file, whose path is relative to it.
 *
 * @throws ConfigFault when it is neither, or not an RSA private key of 2048 bits or more
 */
export async function readSigningKey(
  path: string,
  version: string,
  read: ReadFile,
): Promise<SigningKey> {
  const bytes = await read(path)
  if (!startsAsJson(bytes)) return { key: await keyIn(path, read, readPrivateKey), version }
  const file = SigningKeyFile.safeParse(jsonOf(textOf(bytes, path), path))
  if (!file.success)
    throw new ConfigFault(
      file.error.issues.map((issue) => `${path}: ${issue.path.join('.')}: ${issue.message}`),
    )
  const keyFile = resolve(dirname(path), file.data.privateKeyFile)
  return { key: await keyIn(keyFile, read, readPrivateKey), version: file.data.version }
}

const startsAsJson = (bytes: Buffer): boolean =>
  new TextDecoder().decode(bytes.subarray(0, 64)).trimStart().startsWith('{')
