import { nameAndValue, splitHeader } from './header-list.ts'
import { Refusal } from './refusal.ts'

/**
 * Refuses a request that is not JSON, or does not accept JSON. Callers may omit Content-Type.
 *
 * @throws Refusal MEDIA_TYPE_NOT_ACCEPTABLE
 */
export function checkMedia(contentType = '', accept = ''): void {
  if (!usualContentTypes.has(contentType) && !isJson(contentType)) {
    throw new Refusal('MEDIA_TYPE_NOT_ACCEPTABLE', 'Content-Type is not application/json in UTF-8')
  }
  if (!usualAccepts.has(accept) && !allowsJson(accept)) {
    throw new Refusal('MEDIA_TYPE_NOT_ACCEPTABLE', 'Accept excludes application/json')
  }
}

/** The values of nearly all callers, which need not be parsed. */
const usualContentTypes: ReadonlySet<string> = new Set([
  'application/json; charset=UTF-8',
  'application/json',
  '',
])
const usualAccepts: ReadonlySet<string> = new Set([
  'text/plain,text/xml,text/javascript,text/html', // The gateway's official SDKs.
  'application/json',
  '*/*',
  '',
])

/** A media type or a range of them, in lower case, with its parameters. */
type Media = { type: string; parameters: ReadonlyMap<string, string | undefined> }

/** The entries of a list: a proxy may have joined two headers. */
function mediaIn(header: string): Media[] {
  const entries = splitHeader(header.toLowerCase(), ',').filter((entry) => entry !== '')
  return entries.map((entry) => {
    const [type = '', ...parameters] = splitHeader(entry, ';')
    return { type, parameters: new Map(parameters.map(nameAndValue)) }
  })
}

/** US-ASCII is UTF-8. A charset without a value says nothing. */
const charsets: ReadonlySet<string | undefined> = new Set([
  ...[undefined, ''],
  ...['utf-8', 'utf8', 'us-ascii'],
])

const isJson = (contentType: string): boolean =>
  mediaIn(contentType).every(
    ({ type, parameters }) => jsonType.test(type) && charsets.has(parameters.get('charset')),
  )
const jsonType = /^(application|text)\/([\w.-]+\+)?json$/

/**
 * Whether an Accept header allows JSON. Its entry for `application/json` decides, else that for
 * `application/*`; else it allows JSON if it allows any text, other JSON or everything, since JSON
 * is text. `q=0` excludes an entry.
 */
function allowsJson(accept: string): boolean {
  const ranges = mediaIn(accept).filter(({ type }) => type.includes('/') || type === '*')
  if (ranges.length === 0) return true // It has no entries.
  const deciding =
    ['application/json', 'application/*'].find((json) =>
      ranges.some(({ type }) => type === json),
    ) ?? /^\*$|^\*\/\*$|^text\/|[/+]json$/
  return ranges.some(
    ({ type, parameters }) =>
      (typeof deciding === 'string' ? type === deciding : deciding.test(type)) &&
      !/^(0+(\.0*)?|\.0+)$/.test(parameters.get('q') ?? '1'),
  )
}
