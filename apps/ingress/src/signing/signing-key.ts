import { dirname, resolve } from 'node:path'
import { decodeText, parseJsonFile, type ReadFile } from '@placeorder/config'
import { readPrivateKey } from '@placeorder/protocol'
import { z } from 'zod'
import { readKeyFile } from '../read-key-file.ts'
import type { SigningKey } from './signer.ts'

/** The signing key and the version callers know it by, in one file, so that both change at once. */
export const SigningKeyFile = z.strictObject({
  version: z.string().regex(/^\d{1,9}$/, 'must be a whole number in a string'),
  privateKeyFile: z.string().min(1),
})

/**
 * Reads our signing key, either from a key file, which callers know as `version`, or from a JSON
 * file that names version and key file (relative to the JSON file).
 *
 * @throws ConfigFault when it is neither, or not an RSA private key of 2048 bits or more
 */
export async function readSigningKey(
  path: string,
  version: string,
  read: ReadFile,
): Promise<SigningKey> {
  const bytes = await read(path)
  if (!startsAsJson(bytes)) return { key: await readKeyFile(path, read, readPrivateKey), version }
  const file = await parseJsonFile(SigningKeyFile, decodeText(bytes, path), path)
  const keyFile = resolve(dirname(path), file.privateKeyFile)
  return { key: await readKeyFile(keyFile, read, readPrivateKey), version: file.version }
}

const startsAsJson = (bytes: Buffer): boolean =>
  new TextDecoder().decode(bytes.subarray(0, 64)).trimStart().startsWith('{')
