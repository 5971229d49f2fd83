import type { z } from 'zod'
import { ConfigFault } from './environment.ts'

/**
 * Decodes the text of a file and drops a byte order mark at its beginning.
 *
 * @throws ConfigFault when it is not UTF-8
 */
export function decodeText(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new ConfigFault([`${path}: is not UTF-8: save it as UTF-8`])
  }
}

/**
 * Parses the text of a JSON file by a schema, which may be asynchronous.
 *
 * @throws ConfigFault naming the file, and the place of every fault in it
 */
export async function parseJsonFile<S extends z.ZodType>(
  schema: S,
  text: string,
  path: string,
): Promise<z.output<S>> {
  const parsed = await schema.safeParseAsync(jsonOf(text, path))
  if (parsed.success) return parsed.data
  throw new ConfigFault(
    parsed.error.issues.map((issue) => `${path}: ${issue.path.join('.')}: ${issue.message}`),
  )
}

function jsonOf(text: string, path: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : cause
    throw new ConfigFault([`${path}: is not JSON: ${why}`])
  }
}
