import { parseSignatureHeader, signedText, UNKNOWN_CLIENT, verify } from '@placeorder/protocol'
import { aPlaceOrder } from '@placeorder/testkit'
import { type RawAnswer, splitAnswers } from './answers.ts'
import type { AttackTestBed } from './attack-test-bed.ts'
import { faultsInAnswers } from './check-answers.ts'
import { memoryOf } from './memory-usage.ts'
import { sendShot } from './send-shot.ts'
import { type Leaving, ports } from './shot.ts'
import { signedBytes } from './signed-bytes.ts'
import { shotOf } from './signing-cases.ts'

const resets: readonly Leaving[] = [0, 5, 20].map((afterMs) => ({ how: 'reset', afterMs }))

/** What takes a socket out of HTTP, or leaves it half way. */
const strange = [
  'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n',
  'GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
  'POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n',
  'POST / HT',
  '\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03',
]

/** To every port, with and without a handshake first; afterwards every process is alive. */
export async function strangeSockets({
  targets,
  known,
  processes,
}: AttackTestBed): Promise<string[]> {
  const shots = ports.flatMap((port) =>
    strange.flatMap((text) =>
      resets.flatMap((leaving) =>
        (port === 'orders over TLS' ? [true, false] : [false]).map((bare) =>
          shotOf('strange socket', text, { port, leaving, bare }),
        ),
      ),
    ),
  )
  const faults = shots.map(async (shot) =>
    faultsInAnswers(shot, await sendShot(shot, targets), known, () => {}),
  )
  const alive = async (admin: string) => (await fetch(`${admin}/livez`)).ok
  return [
    ...(await Promise.all(faults)).flat(),
    ...(
      await Promise.all(
        processes.map(async ({ name, admin }) =>
          (await alive(admin).catch(() => false)) ? [] : [`${name} is not alive`],
        ),
      )
    ).flat(),
  ]
}

/** A handshake has 10 s; the rest is for a busy machine. */
const HANDSHAKE_MS_MAX = 20_000

/** Nothing, and half a greeting, from callers that wait and from those that close their half. */
export async function silentTls({ targets }: AttackTestBed): Promise<string[]> {
  const to = { port: 'orders over TLS', bare: true } as const
  const outcomes = ['', '\x16\x03\x01\x00\xc8\x01'].flatMap((text) =>
    (['silence', 'end'] as const).map((how) =>
      sendShot(shotOf('silent', text, { ...to, leaving: { how } }), targets),
    ),
  )
  return (await Promise.all(outcomes))
    .filter(({ isOpen, tookMs }) => isOpen || tookMs > HANDSHAKE_MS_MAX)
    .map(({ tookMs }) => `a silent connection is open after ${tookMs} ms`)
}

/** Signatures a second for all strangers, as docs/security.md says. */
const BUDGET = 50
const CONNECTIONS = 8
const REQUESTS_OF_EACH = 60

/**
 * Past the budget they share an answer for `/` and UNKNOWN, or their connection is closed. Orders
 * are placed meanwhile.
 */
export async function manyRequests({ targets, known, isWell }: AttackTestBed): Promise<string[]> {
  const startedAt = performance.now()
  const requests = (of: number) =>
    Array.from({ length: REQUESTS_OF_EACH }, (_, n) =>
      n % 2 === 0
        ? `GET /${of}/${n} HTTP/1.1\r\n\r\n`
        : `GET / HTTP/1.1\r\nClient-Id: C-${of}-${n}\r\n\r\n`,
    )
  const firing = Array.from({ length: CONNECTIONS }, (_, of) =>
    sendShot(shotOf('many', requests(of).join('')), targets),
  )
  const well = await isWell()
  const answers = (await Promise.all(firing)).flatMap(
    ({ received }) => splitAnswers(received, false).answers,
  )
  const seconds = Math.ceil((performance.now() - startedAt) / 1000) + 1
  const own = new Set(
    answers.filter((one) => !isShared(one, known)).map(({ headers }) => headers.get('signature')),
  )
  return [
    ...(well ? [] : ['a good order got no answer meanwhile']),
    ...(answers.length > 0 ? [] : ['nobody was answered']),
    ...(own.size <= BUDGET * seconds
      ? []
      : [`strangers got ${own.size} signatures in ${seconds} s`]),
  ]
}

const isShared = ({ headers, body }: RawAnswer, { serverKey }: AttackTestBed['known']): boolean => {
  const { signature } = parseSignatureHeader(headers.get('signature') ?? '') ?? {}
  const text = signedText('/', UNKNOWN_CLIENT, headers.get('response-time') ?? '', body)
  return signature !== undefined && verify(text, serverKey, signature)
}

const PACKET_BYTES = 1_800_000
/**
 * What a process may take for it (MiB): it took 400 once, and a heap that is collected late takes
 * some 50.
 */
const MEMORY_MIB_MAX = 120

/** Requests without a body, and bodies of nobody, sent at once over one connection. */
export async function oneBigPacket({
  targets,
  ingress: { pid },
}: AttackTestBed): Promise<string[]> {
  const faults: string[] = []
  for (const request of [
    'GET / HTTP/1.1\r\n\r\n',
    'POST /aps/api/v1/payments/placeOrder HTTP/1.1\r\nContent-Length: 60000\r\n\r\n'.concat(
      'x'.repeat(60_000),
    ),
  ]) {
    const packet = request.repeat(Math.ceil(PACKET_BYTES / request.length))
    const grew = await growthDuring(pid, sendShot(shotOf('big packet', packet), targets))
    if (grew > MEMORY_MIB_MAX)
      faults.push(`the ingress took ${Math.round(grew)} MiB for one packet`)
  }
  return faults
}

/** How much more memory a process holds at most until something is done than before, in MiB. */
async function growthDuring(pid: number, done: Promise<unknown>): Promise<number> {
  const before = (await memoryOf(pid)) ?? 0
  let most = before
  let isDone = false
  const finished = done.finally(() => {
    isDone = true
  })
  while (!isDone) most = Math.max(most, (await memoryOf(pid)) ?? 0)
  await finished
  return most - before
}

const target = '/aps/api/v1/payments/placeOrder'

/** What may follow an order in one packet. */
const tails: readonly [string, readonly string[]][] = [
  ['x', ['Connection: close']],
  ['FROB / HTTP/1.1\r\n\r\n', []],
  ['\0', []],
  ['POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n', []],
  ['POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n{', []],
  ['CONNECT a:1 HTTP/1.1\r\n\r\n', []],
]

/** A new order is answered first, as it was decided, whatever comes after it. */
export async function bytesAfterAnOrder({ targets, signing }: AttackTestBed): Promise<string[]> {
  const faults = tails.map(async ([tail, more]) => {
    const { paymentId: customerId } = aPlaceOrder()
    const body = Buffer.from(JSON.stringify(aPlaceOrder({ customerId })))
    const order = signedBytes(target, body, signing, { more })
    const packet = Buffer.concat([order, Buffer.from(tail, 'latin1')])
    const { received } = await sendShot(shotOf('order and more', packet), targets)
    const [first] = splitAnswers(received, false).answers
    const code = /"resultCode":"(\w+)"/.exec(first?.body.toString() ?? '')?.[1]
    return code === 'SUCCESS' ? [] : [`an order with ${JSON.stringify(tail)} after it got ${code}`]
  })
  return (await Promise.all(faults)).flat()
}

const sent = [
  'GET / HTTP/1.1\r\n\r\n',
  'CONNECT a:1 HTTP/1.1\r\n\r\n',
  'GET /\x80 HTTP/1.1\r\n\r\n',
  'FROB / HTTP/1.1\r\n\r\n',
  '\0',
  'POST / HT',
]

/** Whatever it has sent, also what is not HTTP. */
export async function closedHalf({ targets, known }: AttackTestBed): Promise<string[]> {
  const faults = sent.map(async (text) => {
    const shot = shotOf('closed half', text, { answersInAll: true })
    return faultsInAnswers(shot, await sendShot(shot, targets), known, () => {})
  })
  return (await Promise.all(faults)).flat()
}
