import { formatTime } from '@placeorder/protocol'
import { type AcceptanceCase, type CaseText, code, placeOrderDoc, protocolDoc } from '../case.ts'
import { type Variation, withHeader, withoutHeader } from '../make-request.ts'
import type { Header } from '../wire.ts'

const source = protocolDoc('Request, headers')
const cannotPay = 'Payers of callers that send headers this way cannot pay.'
const forged =
  'An unauthenticated request is executed, and a payer pays for something they did not order.'
const placed = code('SUCCESS')

type HeaderCase = Omit<CaseText, 'name'>

const ordered = (
  name: string,
  text: HeaderCase,
  variation: Variation | (() => Variation),
): AcceptanceCase => ({
  name: `headers/${name}`,
  ...text,
  act: async (context) =>
    (
      await context.place(
        context.order(),
        typeof variation === 'function' ? variation() : variation,
      )
    ).code,
})

const renamed =
  (change: (name: string) => string) =>
  (headers: readonly Header[]): Header[] =>
    headers.map(([name, value]) => [change(name), value])

const named = (rule: string): HeaderCase => ({ rule, breaks: cannotPay, expected: placed, source })
const names: AcceptanceCase[] = [
  ordered('lower-case', named('Header names may be written in lower case.'), {
    headers: renamed((name) => name.toLowerCase()),
  }),
  ordered('upper-case', named('Header names may be written in upper case.'), {
    headers: renamed((name) => name.toUpperCase()),
  }),
  ordered('agent-token', named('Agent-Token is permitted and ignored.'), {
    headers: withHeader('Agent-Token', 'token'),
  }),
  ordered('unknown', named('Unknown headers are ignored.'), {
    headers: withHeader('X-Trace-Id', '7'),
  }),
  ordered('chunked', named('The body may be chunked, without Content-Length.'), {
    headers: withHeader('Transfer-Encoding', 'chunked'),
  }),
]

const refused = (rule: string, ...codes: Parameters<typeof code>): HeaderCase => ({
  rule,
  breaks: forged,
  expected: code(...codes),
  source,
})
const missing: AcceptanceCase[] = [
  ordered('no-client-id', refused('Client-Id is required.', 'PARAM_ILLEGAL', 'INVALID_CLIENT'), {
    headers: withoutHeader('Client-Id'),
  }),
  ordered(
    'no-request-time',
    refused('Request-Time is required.', 'PARAM_ILLEGAL', 'INVALID_SIGNATURE'),
    {
      headers: withoutHeader('Request-Time'),
    },
  ),
  ordered('no-signature', refused('Signature is required.', 'PARAM_ILLEGAL', 'INVALID_SIGNATURE'), {
    headers: withoutHeader('Signature'),
  }),
  ordered(
    'signature-without-form',
    refused('A malformed Signature header is refused.', 'PARAM_ILLEGAL', 'INVALID_SIGNATURE'),
    { header: (value) => value },
  ),
  ordered(
    'second-signature',
    {
      ...refused(
        'A second Signature header is refused: it is ambiguous which one counts.',
        'PARAM_ILLEGAL',
        'INVALID_SIGNATURE',
      ),
      source: protocolDoc('Request, headers', 'ours'),
    },
    {
      headers: (headers) => [
        ...headers,
        ['Signature', 'algorithm=RSA256, keyVersion=1, signature=AAAA'],
      ],
    },
  ),
  ordered(
    'second-client-id',
    {
      ...refused(
        'A second Client-Id header is refused: it is ambiguous who calls.',
        'PARAM_ILLEGAL',
        'INVALID_CLIENT',
        'INVALID_SIGNATURE',
      ),
      source: protocolDoc('Request, headers', 'ours'),
    },
    { headers: (headers) => [...headers, ['Client-Id', 'SANDBOX_another']] },
  ),
  ordered(
    'text-as-client-id',
    {
      rule: 'A malformed Client-Id is refused, and the answer is not signed for it.',
      breaks:
        'The acquirer signs a text that passes for its own refund request, and money is paid out.',
      expected: code('INVALID_CLIENT', 'PARAM_ILLEGAL'),
      source: protocolDoc('Response', 'ours'),
    },
    { clientId: 'ACQ.2026-01-01T00:00:00Z.{"refundRequestId":"1"}' },
  ),
]

const time = protocolDoc('Request, Request-Time', 'sdk')
/** Now with the offset of India, in the form of the published example. */
const withOffset = (): string => formatTime(Date.now() + 19_800_000).replace(/\.\d+Z$/, '+05:30')
/** The first characters of the current time in UTC. */
const utc = (characters: number): string => formatTime(Date.now()).slice(0, characters)
const times: AcceptanceCase[] = (
  [
    [
      'time-whole-seconds',
      'in whole seconds with Z',
      () => formatTime(Date.now()).replace(/\.\d+/, ''),
    ],
    [
      'time-hundredths',
      'with a fraction of any length',
      () => formatTime(Date.now()).replace(/\dZ$/, 'Z'),
    ],
    ['time-offset', 'with an offset', withOffset],
    ['time-epoch', 'in milliseconds since 1970', () => `${Date.now()}`],
    ['time-epoch-seconds', 'in seconds since 1970', () => `${Math.floor(Date.now() / 1_000)}`],
    ['time-whole-minutes', 'without seconds', () => `${utc(16)}Z`],
    ['time-lower-case', 'in lower case', () => formatTime(Date.now()).toLowerCase()],
    [
      'time-comma',
      'with a comma before the fraction',
      () => formatTime(Date.now()).replace('.', ','),
    ],
    ['time-offset-hours', 'with an offset in hours only', () => `${utc(19)}+00`],
    ['time-zone', 'with a time zone in brackets', () => `${utc(16)}+00:00[Etc/UTC]`],
  ] satisfies [string, string, () => string][]
).map(([name, form, now]) =>
  ordered(
    name,
    {
      rule: `Request-Time may be written ${form}.`,
      breaks: cannotPay,
      expected: placed,
      source: time,
    },
    () => ({ time: now() }),
  ),
)

const badTimes: AcceptanceCase[] = [
  ['time-words', 'that is not a time', 'yesterday'] as const,
  ['time-no-date', 'of a day that does not exist', '2025-02-30T08:51:49Z'] as const,
].map(([name, what, value]) =>
  ordered(
    name,
    {
      rule: `A Request-Time ${what} is refused.`,
      breaks: 'In a dispute nobody knows when the order was sent.',
      expected: code('PARAM_ILLEGAL'),
      source: time,
    },
    { time: value },
  ),
)

const media = (rule: string): HeaderCase => ({
  rule,
  breaks: 'A body that is not JSON is parsed as JSON, and the payer pays for a misread order.',
  expected: code('MEDIA_TYPE_NOT_ACCEPTABLE'),
  source: placeOrderDoc('MEDIA_TYPE_NOT_ACCEPTABLE'),
})
const accepts = protocolDoc('Request, Accept', 'sdk')
const types: AcceptanceCase[] = [
  ordered('no-content-type', named('Content-Type may be left out.'), {
    headers: withoutHeader('Content-Type'),
  }),
  ordered('content-type-alone', named('Content-Type may omit the charset.'), {
    headers: withHeader('Content-Type', 'application/json'),
  }),
  ordered('content-type-case', named('Content-Type may be written in any case.'), {
    headers: withHeader('content-type', 'Application/JSON;charset=utf-8'),
  }),
  ordered('content-type-xml', media('A body that is declared as XML is refused.'), {
    headers: withHeader('Content-Type', 'text/xml; charset=UTF-8'),
  }),
  ordered('accept-any', named('Accept may be */*.'), {
    headers: withHeader('Accept', '*/*'),
  }),
  ordered(
    'content-type-twice',
    named('Content-Type may name the type twice, as proxies join duplicates.'),
    {
      headers: withHeader('Content-Type', 'application/json,application/json'),
    },
  ),
  ordered('content-type-empty', named('Content-Type may be empty.'), {
    headers: withHeader('Content-Type', ''),
  }),
  ordered(
    'accept-text',
    { ...named('Accept may list text types only, as some SDKs do.'), source: accepts },
    { headers: withHeader('Accept', 'text/plain,text/xml,text/javascript,text/html') },
  ),
  ordered(
    'accept-weights',
    {
      ...named('Accept may have weights and malformed entries, as some SDKs send them.'),
      source: accepts,
    },
    { headers: withHeader('Accept', 'text/html, image/gif, *; q=.2, */*; q=.2') },
  ),
  ordered('accept-image', media('A request that does not accept JSON is refused.'), {
    headers: withHeader('Accept', 'image/png'),
  }),
  ordered('accept-no-json', media('A request that excludes JSON is refused.'), {
    headers: withHeader('Accept', 'application/json;q=0'),
  }),
]

export const headerCases: readonly AcceptanceCase[] = [
  ...names,
  ...missing,
  ...times,
  ...badTimes,
  ...types,
]
