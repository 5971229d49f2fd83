import { ConfigFault, type ReadFile } from '@placeorder/config'
import { KeyFault } from '@placeorder/protocol'

/**
 * Reads a key or certificates from a file.
 *
 * @throws ConfigFault naming the file, what is wrong with it and what to do
 */
export async function readKeyFile<K>(
  path: string,
  read: ReadFile,
  parse: (bytes: Uint8Array) => K,
): Promise<K> {
  const bytes = await read(path)
  try {
    return parse(bytes)
  } catch (cause) {
    if (cause instanceof KeyFault) throw new ConfigFault([`${path}: ${cause.message}`])
    throw cause
  }
}
