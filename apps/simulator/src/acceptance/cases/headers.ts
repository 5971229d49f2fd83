import { formatTime } from '@placeorder/protocol'
import { type Case, code, type Expected, page, type Source, wire } from '../case.ts'
import { type Make, withHeader, withoutHeader } from '../make-request.ts'
import type { Pair } from '../wire.ts'

const source = wire('Request, headers')
const cannotPay = 'Payers of callers that send headers this way cannot pay.'
const anyone =
  'A request nobody vouches for is acted upon, and a payer pays for what he did not order.'
const placed = code('SUCCESS')

type LooseAnswer = { rule: string; breaks: string; expected: Expected; source: Source }

const ordered = (name: string, told: LooseAnswer, make: Make | (() => Make)): Case => ({
  name: `headers/${name}`,
  ...told,
  act: async (lab) =>
    (await lab.place(lab.order(), typeof make === 'function' ? make() : make)).code,
})

const renamed =
  (change: (name: string) => string) =>
  (headers: readonly Pair[]): Pair[] =>
    headers.map(([name, value]) => [change(name), value])

const named = (rule: string): LooseAnswer => ({ rule, breaks: cannotPay, expected: placed, source })
const names: Case[] = [
  ordered('lower-case', named('Header names may be written in lower case.'), {
    headers: renamed((name) => name.toLowerCase()),
  }),
  ordered('upper-case', named('Header names may be written in upper case.'), {
    headers: renamed((name) => name.toUpperCase()),
  }),
  ordered('agent-token', named('Agent-Token may be there, and is ignored.'), {
    headers: withHeader('Agent-Token', 'token'),
  }),
  ordered('unknown', named('Headers that nobody knows are ignored.'), {
    headers: withHeader('X-Trace-Id', '7'),
  }),
  ordered('chunked', named('The body may come in chunks, without Content-Length.'), {
    headers: withHeader('Transfer-Encoding', 'chunked'),
  }),
]

const refused = (rule: string, ...codes: Parameters<typeof code>): LooseAnswer => ({
  rule,
  breaks: anyone,
  expected: code(...codes),
  source,
})
const missing: Case[] = [
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
    refused('A Signature that has not its form is refused.', 'PARAM_ILLEGAL', 'INVALID_SIGNATURE'),
    { header: (value) => value },
  ),
  ordered(
    'second-signature',
    {
      ...refused(
        'A second Signature header is refused: nobody can say which of them counts.',
        'PARAM_ILLEGAL',
        'INVALID_SIGNATURE',
      ),
      source: wire('Request, headers', 'ours'),
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
        'A second Client-Id header is refused: nobody can say who asks.',
        'PARAM_ILLEGAL',
        'INVALID_CLIENT',
        'INVALID_SIGNATURE',
      ),
      source: wire('Request, headers', 'ours'),
    },
    { headers: (headers) => [...headers, ['Client-Id', 'SANDBOX_another']] },
  ),
  ordered(
    'text-as-client-id',
    {
      rule: 'A Client-Id that is a text of the caller is refused, and the answer is not signed for it.',
      breaks:
        'The acquirer signs what reads as a refund of its own, and a payer is paid for nothing.',
      expected: code('INVALID_CLIENT', 'PARAM_ILLEGAL'),
      source: wire('Response', 'ours'),
    },
    { clientId: 'ACQ.2026-01-01T00:00:00Z.{"refundRequestId":"1"}' },
  ),
]

const time = wire('Request, Request-Time', 'sdk')
/** Now, in the time of India: the form of the published example. */
const withOffset = (): string => formatTime(Date.now() + 19_800_000).replace(/\.\d+Z$/, '+05:30')
/** The first characters of now, in UTC. */
const utc = (characters: number): string => formatTime(Date.now()).slice(0, characters)
const times: Case[] = (
  [
    [
      'time-whole-seconds',
      'in whole seconds and Z',
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
    ['time-offset-hours', 'with an offset of hours alone', () => `${utc(19)}+00`],
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

const badTimes: Case[] = [
  ['time-words', 'that is no time', 'yesterday'] as const,
  ['time-no-date', 'of a day that no calendar has', '2025-02-30T08:51:49Z'] as const,
].map(([name, what, value]) =>
  ordered(
    name,
    {
      rule: `A Request-Time ${what} is refused.`,
      breaks: 'Nobody can tell when the payer was asked, which is what a dispute is about.',
      expected: code('PARAM_ILLEGAL'),
      source: time,
    },
    { time: value },
  ),
)

const media = (rule: string): LooseAnswer => ({
  rule,
  breaks: 'What is no JSON is read as if it were, and the payer pays for what was guessed.',
  expected: code('MEDIA_TYPE_NOT_ACCEPTABLE'),
  source: page('MEDIA_TYPE_NOT_ACCEPTABLE'),
})
const accepts = wire('Request, Accept', 'sdk')
const types: Case[] = [
  ordered('no-content-type', named('Content-Type may be left out.'), {
    headers: withoutHeader('Content-Type'),
  }),
  ordered('content-type-alone', named('Content-Type may name no charset.'), {
    headers: withHeader('Content-Type', 'application/json'),
  }),
  ordered('content-type-case', named('Content-Type may be written in any case.'), {
    headers: withHeader('content-type', 'Application/JSON;charset=utf-8'),
  }),
  ordered('content-type-xml', media('A body that is said to be XML is refused.'), {
    headers: withHeader('Content-Type', 'text/xml; charset=UTF-8'),
  }),
  ordered('accept-any', named('A caller may accept anything.'), {
    headers: withHeader('Accept', '*/*'),
  }),
  ordered('content-type-twice', named('Content-Type may come twice, joined on the way.'), {
    headers: withHeader('Content-Type', 'application/json,application/json'),
  }),
  ordered('content-type-empty', named('Content-Type may be empty.'), {
    headers: withHeader('Content-Type', ''),
  }),
  ordered(
    'accept-text',
    { ...named('A caller that accepts any text accepts JSON.'), source: accepts },
    { headers: withHeader('Accept', 'text/plain,text/xml,text/javascript,text/html') },
  ),
  ordered(
    'accept-weights',
    {
      ...named('A caller may accept anything with a weight, written in any way.'),
      source: accepts,
    },
    { headers: withHeader('Accept', 'text/html, image/gif, *; q=.2, */*; q=.2') },
  ),
  ordered('accept-image', media('A caller that does not accept JSON gets this answer.'), {
    headers: withHeader('Accept', 'image/png'),
  }),
  ordered('accept-no-json', media('A caller that excludes JSON gets this answer.'), {
    headers: withHeader('Accept', 'application/json;q=0'),
  }),
]

export const headerCases: readonly Case[] = [...names, ...missing, ...times, ...badTimes, ...types]
