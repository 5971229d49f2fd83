import { Refusal } from '@placeorder/protocol'

/**
 * Refuses what is not JSON or does not want JSON. A request without Content-Type is taken for JSON: callers may omit it.
 *
 * @throws Refusal MEDIA_TYPE_NOT_ACCEPTABLE
 */
export function checkMedia(contentType: string | undefined, accept: string | undefined): void {
  if (contentType !== undefined && !usualContentTypes.has(contentType) && !isJson(contentType)) {
    throw new Refusal('MEDIA_TYPE_NOT_ACCEPTABLE', 'Content-Type is not application/json in UTF-8')
  }
  if (
    accept !== undefined &&
    !usualAccepts.has(accept) &&
    accept.trim() !== '' &&
    !takesJson(accept)
  ) {
    throw new Refusal('MEDIA_TYPE_NOT_ACCEPTABLE', 'Accept excludes application/json')
  }
}

/** What nearly every caller says: to take that apart for each request would be waste. */
const usualContentTypes: ReadonlySet<string> = new Set([
  'application/json; charset=UTF-8',
  'application/json',
])
const usualAccepts: ReadonlySet<string> = new Set(['*/*', 'application/json'])

function isJson(contentType: string): boolean {
  const [type = '', ...parameters] = contentType
    .toLowerCase()
    .split(';')
    .map((part) => part.trim())
  const charset = parameters
    .find((parameter) => parameter.startsWith('charset='))
    ?.slice(8)
    .replaceAll('"', '')
  return (
    type === 'application/json' &&
    (charset === undefined || charset === 'utf-8' || charset === 'utf8')
  )
}

/** The ranges JSON is in. The most specific one that is named decides (RFC 9110, 12.5.1). */
const jsonRanges = ['application/json', 'application/*', '*/*']

/** Whether an Accept header takes JSON; `q=0` excludes what it names. */
function takesJson(accept: string): boolean {
  const ranges = accept
    .toLowerCase()
    .split(',')
    .map((range) => range.split(';').map((part) => part.trim()))
  const deciding = jsonRanges.find((json) => ranges.some(([range]) => range === json))
  return ranges.some(
    ([range, ...parameters]) =>
      range === deciding && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter)),
  )
}
