import { ConfigFault, type ReadFile } from '@placeorder/config'
import { KeyFault } from '@placeorder/protocol'

/**
 * Makes a key or certificates of a file.
 *
 * @throws ConfigFault naming the file, what is wrong with it and what to do
 */
export async function keyIn<K>(
  path: string,
  read: ReadFile,
  keyFrom: (bytes: Uint8Array) => K,
): Promise<K> {
  const bytes = await read(path)
  try {
    return keyFrom(bytes)
  } catch (cause) {
    if (cause instanceof KeyFault) throw new ConfigFault([`${path}: ${cause.message}`])
    throw cause
  }
}
