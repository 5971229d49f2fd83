import { Agent } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import {
  aPlaceOrder,
  type Ingress,
  openSystem,
  type SignedMessage,
  type System,
  sendSigned,
  signMessage,
} from '@placeorder/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { splitAnswers } from '../src/attack/answers.ts'
import { sendShot } from '../src/attack/send-shot.ts'
import { type Port, ports } from '../src/attack/shot.ts'
import { shotOf } from '../src/attack/signing-cases.ts'
import { type Flood, openFlood } from '../src/flood/flood.ts'
import { broken, kinds, strangers } from '../src/flood/strangers.ts'
import { takePrecedence } from './precedence.ts'

const STRANGERS_PER_SECOND = 2_000
const ORDERS_PER_SECOND = 40
/**
 * How long orders are placed alone, or among strangers, in a turn (ms): whatever slows the machine
 * down slows both.
 */
const WINDOW_MS = 1_000
const TURNS = 8
/** Turns in which other work kept this machine from sending so many are repeated: so many turns. */
const TURNS_MAX = 3 * TURNS
/** In this time (ms) the code that refuses strangers is compiled. */
const WARM_UP_MS = 3_000

const agent = new Agent({ keepAlive: true })
let release: () => Promise<void>
let system: System
let ingress: Ingress
let flood: Flood

beforeAll(async () => {
  release = await takePrecedence()
  system = await openSystem()
  await system.startWorker()
  ingress = await system.startIngress()
  flood = openFlood({
    port: Number(new URL(ingress.origin).port),
    requestsPerSecond: STRANGERS_PER_SECOND,
    knownClientId: system.caller.clientId,
  })
})
afterAll(async () => {
  agent.destroy()
  await flood.close()
  await system.close()
  await release()
})

const url = () => `${ingress.origin}/aps/api/v1/payments/placeOrder`

/**
 * Orders that no limit stands in the way of. They are signed ahead, since signing takes the
 * processors that are measured.
 */
function signedOrders(count: number): Promise<SignedMessage[]> {
  const sign = () => {
    const { customerId: _, ...order } = aPlaceOrder()
    return signMessage(url(), order, system.caller)
  }
  return Promise.all(Array.from({ length: count }, sign))
}

type Placed = { code: string; ms: number }

/** Sends orders at a steady rate, whatever becomes of those before. */
async function placeAtRate(orders: readonly SignedMessage[]): Promise<Placed[]> {
  const startedAt = performance.now()
  const placing = orders.map(async (order, n) => {
    const at = startedAt + (n * 1_000) / ORDERS_PER_SECOND
    await wait(Math.max(0, at - performance.now()))
    const { code, tookMs } = await sendSigned(url(), order, system.caller, { agent })
    return { code, ms: tookMs }
  })
  return Promise.all(placing)
}

/**
 * What a client's orders got, and how many strangers were sent and answered meanwhile, in each
 * second.
 */
async function placeAmongStrangers(orders: readonly SignedMessage[]) {
  const startedAt = performance.now()
  const before = await flood.flow(true)
  const placed = await placeAtRate(orders)
  const after = await flood.flow(false)
  const seconds = (performance.now() - startedAt) / 1_000
  return {
    placed,
    sent: (after.sent - before.sent) / seconds,
    answered: (after.answered - before.answered) / seconds,
  }
}

const p50 = (placed: readonly Placed[]): number =>
  placed.map(({ ms }) => ms).sort((a, b) => a - b)[Math.floor(placed.length / 2)] ?? Number.NaN

/** The codes of the answers to what is sent over one connection. */
async function codesOf(bytes: Buffer): Promise<(string | undefined)[]> {
  const port = Number(new URL(ingress.origin).port)
  const numbers = Object.fromEntries(ports.map((name) => [name, port])) as Record<Port, number>
  const { received } = await sendShot(shotOf('stranger', bytes), { numbers, ca: '' })
  return splitAnswers(received, false).answers.map(
    ({ body }) => /"resultCode":"(\w+)"/.exec(body.toString())?.[1],
  )
}

test('a stranger of each kind is refused', async () => {
  const requests = strangers(kinds.length, system.caller.clientId)
  expect(await codesOf(Buffer.concat(requests))).toEqual([
    'NO_INTERFACE_DEF',
    'NO_INTERFACE_DEF',
    'INVALID_CLIENT',
    'INVALID_CLIENT',
    'METHOD_NOT_SUPPORTED',
    'INVALID_SIGNATURE',
    'INVALID_SIGNATURE',
    'INVALID_SIGNATURE',
    'PARAM_ILLEGAL',
    'MEDIA_TYPE_NOT_ACCEPTABLE',
    'PARAM_ILLEGAL',
    'PARAM_ILLEGAL',
  ])
  expect((await Promise.all(broken.map(codesOf))).flat()).toEqual([
    'METHOD_NOT_SUPPORTED',
    'METHOD_NOT_SUPPORTED',
    'METHOD_NOT_SUPPORTED',
    'PARAM_ILLEGAL',
  ])
})

test("a client's p50 grows by less than half under 2,000 strangers a second", {
  timeout: 120_000,
}, async () => {
  const count = (ORDERS_PER_SECOND * WINDOW_MS) / 1_000
  await placeAtRate(await signedOrders(count))
  await flood.flow(true)
  await wait(WARM_UP_MS)
  await flood.flow(false)
  const alone: Placed[] = []
  const among: Placed[] = []
  let served = 0
  for (let turn = 0; turn < TURNS_MAX && served < TURNS; turn += 1) {
    const without = await placeAtRate(await signedOrders(count))
    const { placed, sent, answered } = await placeAmongStrangers(await signedOrders(count))
    if (sent < 0.9 * STRANGERS_PER_SECOND || answered < 0.9 * sent) continue
    alone.push(...without)
    among.push(...placed)
    served += 1
  }
  expect(served, 'turns in which 2,000 strangers a second were sent and answered').toBe(TURNS)
  const codes = new Set([...alone, ...among].map(({ code }) => code))
  console.log(`p50 ${p50(alone).toFixed(1)} ms alone, ${p50(among).toFixed(1)} ms among strangers`)
  expect([...codes]).toEqual(['SUCCESS'])
  expect(p50(among)).toBeLessThan(1.5 * p50(alone))
})
