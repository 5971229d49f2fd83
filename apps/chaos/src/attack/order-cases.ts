import { setTimeout as wait } from 'node:timers/promises'
import type { PlaceOrderRequest } from '@placeorder/protocol'
import { connect, disconnect, openWorkerStore } from '@placeorder/store'
import { aPlaceOrder, type Caller, otherAcquirerId, signedCall } from '@placeorder/testkit'
import { type AttackTestBed, elsewhereAddress, likeOther } from './attack-test-bed.ts'
import { sendShot } from './send-shot.ts'
import { signedBytes } from './signed-bytes.ts'
import { shotOf } from './signing-cases.ts'

const placeOrder = '/aps/api/v1/payments/placeOrder'
const inquiryOrder = '/aps/api/v1/payments/inquiryOrder'

/** An order of a customer of its own: one alone would soon be a risk. */
function anOrder(changes: Partial<PlaceOrderRequest> = {}): PlaceOrderRequest {
  const { paymentId } = aPlaceOrder()
  return aPlaceOrder({ paymentId, customerId: `C-${paymentId}`, ...changes })
}

/** How long an order may be refused for now, or in process, on a busy machine (ms). */
const FINAL_MS_MAX = 30_000
const notFinal = ['REQUEST_TRAFFIC_EXCEED_LIMIT', 'UNKNOWN_EXCEPTION', 'PAYMENT_IN_PROCESS']

/** Calls again until the answer is final. */
async function untilFinal(call: () => ReturnType<typeof signedCall>) {
  const until = performance.now() + FINAL_MS_MAX
  let answer = await call()
  while (notFinal.includes(answer.code) && performance.now() < until) {
    await wait(100)
    answer = await call()
  }
  return answer
}

const expected = (what: string, got: unknown, wanted: unknown): string[] =>
  got === wanted ? [] : [`${what}: ${got}, and not ${wanted}`]

/**
 * Two clients send one paymentId, also where one acquirer's id is like the other's with a part of
 * the paymentId.
 */
export async function anotherAcquirer({ ingress, system }: AttackTestBed): Promise<string[]> {
  const { caller, otherCaller } = system
  const call = (by: Caller, path: string, order: PlaceOrderRequest) =>
    untilFinal(() => signedCall(`${ingress.origin}${path}`, order, by))
  const { paymentId } = aPlaceOrder()
  const own = [
    anOrder({ paymentId }),
    anOrder({ acquirerId: likeOther.beginning, paymentId: `2 {s0}:${paymentId}` }),
    anOrder({ acquirerId: likeOther.encoded, paymentId }),
  ]
  const theirs = anOrder({ acquirerId: otherAcquirerId, paymentId })
  const all = [...own.map((order) => [caller, order] as const), [otherCaller, theirs] as const]
  const first = await Promise.all(all.map(([by, order]) => call(by, placeOrder, order)))
  const again = await Promise.all(all.map(([by, order]) => call(by, placeOrder, order)))
  const ids = first.map(({ paymentRequestId }) => paymentRequestId)
  const mine = anOrder()
  await call(caller, placeOrder, mine)
  const asked = { ...mine, acquirerId: otherAcquirerId }
  return [
    ...first.flatMap(({ code }) => expected('the first order of an acquirer', code, 'SUCCESS')),
    ...expected('orders of one paymentId', new Set(ids).size, all.length),
    ...again.flatMap((one, at) => expected('a repeat', one.paymentRequestId, ids[at])),
    ...expected('their order', (await call(otherCaller, placeOrder, mine)).code, 'ACCESS_DENIED'),
    ...expected(
      'asking for it',
      (await call(otherCaller, inquiryOrder, mine)).code,
      'ACCESS_DENIED',
    ),
    ...expected('its id', (await call(otherCaller, inquiryOrder, asked)).code, 'ORDER_NOT_EXIST'),
  ]
}

/** With nobody in TRUST_PROXY, what a caller says of its address is not believed. */
export async function ownAddress({ ingress, elsewhere }: AttackTestBed): Promise<string[]> {
  const codes = ['x-forwarded-for', 'x-real-ip', 'forwarded'].map(async (name) => {
    const value = name === 'forwarded' ? `for=${elsewhereAddress}` : elsewhereAddress
    const order = anOrder({ acquirerId: otherAcquirerId })
    const headers = { [name]: value }
    const { code } = await signedCall(`${ingress.origin}${placeOrder}`, order, elsewhere, {
      headers,
    })
    return expected(name, code, 'ACCESS_DENIED')
  })
  return (await Promise.all(codes)).flat()
}

/** What a terminal may obey; a line of it is short, whatever was sent. */
const escapes = '\x1b[2J\x9b31m\u202e\n'
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
const obeyed = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]/
const LINE_LENGTH_MAX = 8_000
/** How long a line may take to be logged, in ms. */
const LINE_MS_MAX = 5_000

/** Values of ids, headers and targets with escapes in them, or as long as a request may be. */
export async function strangeWords({
  ingress,
  targets,
  signing,
}: AttackTestBed): Promise<string[]> {
  const from = ingress.lines.length
  const long = 'x'.repeat(15_000)
  const signed = (
    changes: Partial<PlaceOrderRequest>,
    more: Parameters<typeof signedBytes>[3] = {},
  ) => signedBytes(placeOrder, Buffer.from(JSON.stringify(anOrder(changes))), signing, more)
  const packets = [
    signed({ paymentId: escapes }),
    signed({ paymentId: escapes.repeat(6_000) }),
    signed({ merchant: { ...anOrder().merchant, referenceMerchantId: escapes } }),
    signed({}, { clientId: '\x9b31m' }),
    signed({}, { signature: (good) => good.replace('keyVersion=1', 'keyVersion=\x9b31m') }),
    signed({}, { signature: (good) => good.replace('keyVersion=1', `keyVersion=${long}`) }),
    signed({}, { time: '\x9b31m' }),
    Buffer.from(`GET /\x9b31m HTTP/1.1\r\nClient-Id: ${long}\r\n\r\n`, 'latin1'),
  ]
  const unlogged: number[] = []
  for (const [at, packet] of packets.entries()) {
    const before = ingress.lines.length
    const until = Date.now() + LINE_MS_MAX
    // Refusals of strangers share a line a second: such a packet is sent until it has its own.
    while (ingress.lines.length === before && Date.now() < until) {
      await sendShot(shotOf('strange words', packet), targets)
      await wait(100)
    }
    if (ingress.lines.length === before) unlogged.push(at)
  }
  const lines = ingress.lines.slice(from)
  return [
    ...unlogged.map((at) => `packet ${at} was not logged`),
    ...lines
      .filter((line) => line.length > LINE_LENGTH_MAX)
      .map((line) => `${line.length} in a line`),
    ...lines
      .filter((line) => wordsIn(JSON.parse(line)).some((word) => obeyed.test(word)))
      .map((line) => `a terminal would obey ${line.replaceAll(/[^ -~]/g, '?').slice(0, 300)}`),
  ]
}

/** All texts in a value, names too. */
const wordsIn = (value: unknown): string[] =>
  typeof value === 'object' && value !== null
    ? Object.entries(value).flatMap(([name, item]) => [name, ...wordsIn(item)])
    : [String(value)]

/** How long a job may take to be there, in ms. */
const JOB_MS_MAX = 5_000

/**
 * Orders whose jobs nobody takes: neither Redis's record of a job nor the board shows whose they
 * are.
 */
export async function personalData({
  ingress,
  worker,
  system,
  adminToken,
}: AttackTestBed): Promise<string[]> {
  const store = await openWorkerStore({ ...system, onFault: () => {} })
  const each = <T>(act: (queue: (typeof store.queues.all)[number]) => Promise<T>) =>
    Promise.all(store.queues.all.map(act))
  try {
    await each((queue) => queue.pause())
    const orders = [anOrder(), anOrder()]
    const placing = orders.map((order) => ingress.place(order))
    const jobs = async () => (await each((queue) => queue.getJobs())).flat()
    for (const by = performance.now() + JOB_MS_MAX; performance.now() < by; await wait(20))
      if ((await jobs()).length > 0) break
    const held = JSON.stringify((await jobs()).map((job) => job.toJSON()))
    const board = await boardOf(worker.admin, adminToken, system.shards)
    const closed = await fetch(`${worker.admin}/board/api/queues`)
    await each((queue) => queue.resume())
    const answers = await Promise.all(placing)
    const secrets = orders.flatMap(({ codeValue, customerId = '' }) => [codeValue, customerId])
    return [
      ...(orders.some(({ paymentId }) => board.includes(paymentId))
        ? []
        : ['the board shows no job']),
      ...secrets.filter((secret) => held.includes(secret)).map((secret) => `a job holds ${secret}`),
      ...secrets
        .filter((secret) => board.includes(secret))
        .map((secret) => `the board shows ${secret}`),
      ...expected('the board without its token', closed.status, 401),
      ...answers.flatMap((answer) =>
        expected('an order whose job had to wait', answer.code, 'SUCCESS'),
      ),
    ]
  } finally {
    await each((queue) => queue.resume())
    await store.close()
  }
}

async function boardOf(admin: string, token: string, shards: number): Promise<string> {
  const headers = { authorization: `Bearer ${token}` }
  const pages = Array.from({ length: shards }, async (_, shard) => {
    const name = encodeURIComponent(`s${shard} orders`)
    const page = await fetch(
      `${admin}/board/api/queues?activeQueue=${name}&status=waiting&page=1&jobsPerPage=10`,
      {
        headers,
      },
    )
    return page.text()
  })
  return (await Promise.all(pages)).join('\n')
}

const DIGITS = 29_000
/** What one value of a counter may have: an amount and a count of at most 20 digits. */
const COUNTER_LENGTH_MAX = 64

/**
 * It is placed where no limit is of amounts; what is kept for limits of it is bounded all the same.
 */
export async function hugeAmount({ ingress, system }: AttackTestBed): Promise<string[]> {
  const amount = { value: '9'.repeat(DIGITS), currency: 'USD' }
  const { code } = await ingress.place(anOrder({ paymentAmount: amount, settlementAmount: amount }))
  const redis = connect(system.address, 'patient')
  try {
    const kept: string[] = []
    for (const key of await redis.keys('{u}:usage:*'))
      kept.push(...Object.values(await redis.hgetall(key)))
    const longest = Math.max(0, ...kept.map(({ length }) => length))
    return [
      ...expected('the order', code, 'SUCCESS'),
      ...(longest > 0 ? [] : ['nothing was counted']),
      ...(longest <= COUNTER_LENGTH_MAX ? [] : [`a counter has ${longest} characters`]),
    ]
  } finally {
    await disconnect(redis)
  }
}
