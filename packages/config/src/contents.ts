import { ConfigFault } from './environment.ts'

/**
 * The text of a file; a byte order mark at its beginning is passed over.
 *
 * @throws ConfigFault when it is not UTF-8
 */
export function textOf(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new ConfigFault([`${path}: is not UTF-8: save it as UTF-8`])
  }
}

/**
 * What the JSON of a file says.
 *
 * @throws ConfigFault when it is not JSON
 */
export function jsonOf(text: string, path: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new ConfigFault([
      `${path}: is not JSON: ${cause instanceof Error ? cause.message : cause}`,
    ])
  }
}
