/** The parts of a header's value, trimmed. A separator in double quotes does not count. */
export function splitHeader(value: string, separator: ',' | ';'): string[] {
  const parts = value.includes('"') ? splitOutsideQuotes(value, separator) : value.split(separator)
  return parts.map((part) => part.trim())
}

/**
 * A name and its value, split at the first `=`; the value without its quotes; undefined if there is
 * no `=`.
 */
export function nameAndValue(part: string): [name: string, value: string | undefined] {
  const at = part.indexOf('=')
  if (at < 0) return [part.toLowerCase(), undefined]
  return [part.slice(0, at).trim().toLowerCase(), unquoted(part.slice(at + 1).trim())]
}

function splitOutsideQuotes(value: string, separator: string): string[] {
  const parts = ['']
  let inQuotes = false
  for (let at = 0; at < value.length; at += 1) {
    const char = value.charAt(at)
    if (char === '"') inQuotes = !inQuotes
    if (char === separator && !inQuotes) parts.push('')
    else parts.push(`${parts.pop()}${inQuotes && char === '\\' ? char + value.charAt(++at) : char}`)
  }
  return parts
}

const unquoted = (value: string): string =>
  /^".*"$/s.test(value) ? value.slice(1, -1).replace(/\\(.)/gs, '$1') : value
