import secureJson from 'secure-json-parse'
import type { z } from 'zod'
import { Refusal } from './refusal.ts'

/**
 * The deepest nesting of a body. The deepest field, merchant.store.storeAddress.region, is at 4.
 */
const DEPTH_MAX = 16

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Parses a message from the bytes of a body.
 *
 * @throws Refusal PARAM_ILLEGAL with each faulty path, but no values
 */
export function parseBody<S extends z.ZodType>(schema: S, body: Uint8Array): z.output<S> {
  const parsed = schema.safeParse(readObject(body))
  if (parsed.success) return parsed.data
  const faults = parsed.error.issues.map(
    ({ path, message }) => `${path.join('.') || 'body'} ${message}`,
  )
  throw new Refusal('PARAM_ILLEGAL', faults.join('; '))
}

function readObject(body: Uint8Array): unknown {
  const text = decode(body)
  if (nestsTooDeep(text))
    throw new Refusal('PARAM_ILLEGAL', `the body nests deeper than ${DEPTH_MAX}`)
  if (hasNul(text))
    throw new Refusal('PARAM_ILLEGAL', 'the body has a text with U+0000, which no database stores')
  try {
    return secureJson.parse(text, { protoAction: 'error', constructorAction: 'error' })
  } catch (cause) {
    throw new Refusal('PARAM_ILLEGAL', 'the body is not JSON, or tries to poison prototypes', {
      cause,
    })
  }
}

function decode(body: Uint8Array): string {
  try {
    return utf8.decode(body)
  } catch (cause) {
    throw new Refusal('PARAM_ILLEGAL', 'the body is not UTF-8', { cause })
  }
}

/**
 * Whether JSON has an escaped U+0000 (it may not be there unescaped). An escaped backslash does not
 * begin an escape.
 */
const hasNul = (text: string): boolean =>
  text.includes('\\u0000') && /(?<!\\)(?:\\\\)*\\u0000/.test(text)

/** Checked before parsing, since parsing recurses. Brackets in strings do not count. */
function nestsTooDeep(text: string): boolean {
  // Nearly every body.
  if (!hasMore('{', text, DEPTH_MAX / 2) && !hasMore('[', text, DEPTH_MAX / 2)) return false
  let depth = 0
  let inString = false
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charCodeAt(at)
    if (inString) {
      if (char === 0x5c) at += 1
      else if (char === 0x22) inString = false
    } else if (char === 0x22) inString = true
    else if (char === 0x7b || char === 0x5b) depth += 1
    else if (char === 0x7d || char === 0x5d) depth -= 1
    if (depth > DEPTH_MAX) return true
  }
  return false
}

/** Whether a text contains `char` more than `max` times. */
function hasMore(char: string, text: string, max: number): boolean {
  let times = 0
  for (let at = text.indexOf(char); at >= 0 && times <= max; at = text.indexOf(char, at + 1))
    times += 1
  return times > max
}
