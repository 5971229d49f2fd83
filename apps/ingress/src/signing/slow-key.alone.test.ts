import { setTimeout as after, setImmediate as nextTurn } from 'node:timers/promises'
import { aPlaceOrder } from '@placeorder/testkit'
import { expect, test } from 'vitest'
import {
  codeOf,
  inquiryPath,
  path,
  signedHeaders,
  signerOf,
  testServer,
  testUse,
} from '../../test/test-server.ts'
import { Admission } from '../admission.ts'
import type { ServerDeps } from '../server.ts'
import { SigningQueue, type SigningTask, type Turn } from './signing-queue.ts'

const WAIT_MS = 2_000
const LATE_MS = WAIT_MS + 200 // P4.

/** How long a signature takes here, in ms: about as long as one of 8192 bits. */
const SIGN_MS = 20

/** So many at once take three times as long to sign as there is time. */
const REQUESTS = 300

/** Other work on the machine only adds to the times: one try of three is enough. */
const tries = { retry: 2 }

/** Signs on one thread, slowly. */
class SlowQueue extends SigningQueue {
  constructor() {
    super(1)
  }

  override add(work: () => Promise<string>, turn: Turn): SigningTask {
    return super.add(() => after(SIGN_MS).then(work), turn)
  }
}

/**
 * Sends so many requests at once to a server with a slow key. Returns how often each code was
 * answered, and how late the last answer was (ms).
 */
async function flooded(
  target: string,
  { use, expectMs = WAIT_MS }: { use: ServerDeps['use']; expectMs?: number },
) {
  const queue = new SlowQueue()
  const signer = signerOf(queue)
  await signer.measure()
  const limits = { inFlightMax: 2 * REQUESTS, openOrdersMax: REQUESTS, waitMs: expectMs }
  const app = testServer({
    signer,
    admission: new Admission(
      limits,
      () => 0,
      () => queue.paceMs,
    ),
    use,
  })
  const body = JSON.stringify(aPlaceOrder())
  const headers = signedHeaders({ target, body })
  await app.ready()
  const codes: Record<string, number> = {}
  let lastMs = 0
  const sendOne = async () => {
    const sentAt = performance.now()
    const answered = await app.inject({ method: 'POST', url: target, headers, body })
    lastMs = Math.max(lastMs, performance.now() - sentAt)
    const code = codeOf(answered, target)
    codes[code] = (codes[code] ?? 0) + 1
  }
  const sent: Promise<void>[] = []
  for (let at = 0; at < REQUESTS; at += 1) {
    sent.push(sendOne())
    await nextTurn() // Otherwise they would wait for each other, and not for signatures.
  }
  await Promise.all(sent)
  await app.close()
  return { codes, lastMs }
}

test(
  'with a slow key, orders past its pace are refused, and no answer is late',
  tries,
  async () => {
    const use = { ...testUse, waitMs: WAIT_MS }
    const { codes, lastMs } = await flooded(path, { use })
    expect(lastMs).toBeLessThan(LATE_MS)
    expect(Object.keys(codes).toSorted()).toEqual(['REQUEST_TRAFFIC_EXCEED_LIMIT', 'SUCCESS'])
  },
)

test('with a slow key, inquiries past its pace are refused, and none is late', tries, async () => {
  let reads = 0
  const record = async () => {
    reads += 1
    return undefined
  }
  const use = { ...testUse, waitMs: WAIT_MS, orders: { ...testUse.orders, record } }
  const { codes, lastMs } = await flooded(inquiryPath, { use })
  expect(lastMs).toBeLessThan(LATE_MS)
  expect(reads).toBeLessThan(REQUESTS / 2) // Refused inquiries read no record.
  expect(Object.keys(codes).toSorted()).toEqual(['ORDER_NOT_EXIST', 'REQUEST_TRAFFIC_EXCEED_LIMIT'])
})

test(
  'late outcomes, all at once, are answered in time: U if they cannot be signed',
  tries,
  async () => {
    const decided = after(0.7 * WAIT_MS).then(() => 'SUCCESS' as const)
    const use: ServerDeps['use'] = {
      ...testUse,
      waitMs: WAIT_MS,
      intake: { accept: async () => ({ kind: 'OPEN', paymentRequestId: 'R-1', repeated: false }) },
      orders: { ...testUse.orders, during: (_id, _signal, body) => body(decided) },
    }
    const { codes, lastMs } = await flooded(path, { use, expectMs: 60_000 })
    expect(lastMs).toBeLessThan(LATE_MS)
    expect(Object.keys(codes).toSorted()).toEqual(['SUCCESS', 'UNKNOWN_EXCEPTION'])
  },
)
