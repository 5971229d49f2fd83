import { Refusal } from '@placeorder/protocol'

/**
 * Refuses what is not JSON or does not want JSON. A request without Content-Type is taken for JSON: callers may omit it.
 *
 * @throws Refusal MEDIA_TYPE_NOT_ACCEPTABLE
 */
export function checkMedia(contentType: string | undefined, accept: string | undefined): void {
  if (contentType !== undefined && !usual.has(contentType) && !isJson(contentType)) {
    throw new Refusal('MEDIA_TYPE_NOT_ACCEPTABLE', 'Content-Type is not application/json in UTF-8')
  }
  if (accept !== undefined && accept.trim() !== '' && !accept.split(',').some(takesJson)) {
    throw new Refusal('MEDIA_TYPE_NOT_ACCEPTABLE', 'Accept excludes application/json')
  }
}

/** What nearly every caller says: to take that apart for each request would be waste. */
const usual: ReadonlySet<string> = new Set(['application/json; charset=UTF-8', 'application/json'])

function isJson(contentType: string): boolean {
  const [type = '', ...parameters] = contentType
    .toLowerCase()
    .split(';')
    .map((part) => part.trim())
  const charset = parameters
    .find((parameter) => parameter.startsWith('charset='))
    ?.slice(8)
    .replaceAll('"', '')
  return type === 'application/json' && (charset === undefined || charset === 'utf-8' || charset === 'utf8')
}

/** One range of an Accept header; `q=0` excludes what it names. */
function takesJson(range: string): boolean {
  const [type = '', ...parameters] = range
    .toLowerCase()
    .split(';')
    .map((part) => part.trim())
  const named = type === 'application/json' || type === 'application/*' || type === '*/*'
  return named && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter))
}
