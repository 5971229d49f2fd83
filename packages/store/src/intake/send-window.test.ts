import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type OrderId, orderIdOf } from '../keys.ts'
import { SendWindow, type SentGroup } from './send-window.ts'

const LOST_MS = 1_500

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const anId = () => orderIdOf({ acquirerId: 'A-1', paymentId: randomUUID() })

/** Whether the next group may go, as of now. */
async function open(window: SendWindow): Promise<boolean> {
  let gone = false
  void window.whenOpen().then(() => {
    gone = true
  })
  await vi.advanceTimersByTimeAsync(0)
  return gone
}

/** Sends `count` groups, one after the other, each decided after `ms`. */
async function decideEach(window: SendWindow, count: number, ms: number): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    const id = anId()
    window.noteSent([id])
    await vi.advanceTimersByTimeAsync(ms)
    window.noteAnnounced(id)
  }
}

/** Sends a group that workers are behind with. */
async function sendLate(window: SendWindow, ...orderIds: OrderId[]): Promise<SentGroup> {
  const sent = window.noteSent(orderIds)
  await vi.advanceTimersByTimeAsync(50)
  return sent
}

test('while groups are decided quickly, each is sent at once', async () => {
  const window = new SendWindow(LOST_MS)
  for (let n = 0; n < 5; n += 1) {
    window.noteSent([anId()])
    expect(await open(window)).toBe(true)
  }
})

test('behind a late group, the next waits until most of its orders are announced', async () => {
  const window = new SendWindow(LOST_MS)
  const [first, second, slow] = [anId(), anId(), anId()]
  await sendLate(window, first, second, slow)
  window.noteAnnounced(second)
  expect(await open(window)).toBe(false)
  window.noteAnnounced(first)
  expect(await open(window)).toBe(true)
})

test.each(['before', 'after'])(
  'repeats in a group are not waited for, if the claim’s reply comes %s the outcome',
  async (when) => {
    const window = new SendWindow(LOST_MS)
    const fresh = anId()
    const sent = await sendLate(window, anId(), fresh, anId(), anId())
    expect(await open(window)).toBe(false)
    if (when === 'before') window.noteClaimed(sent, 1)
    window.noteAnnounced(fresh)
    if (when === 'after') window.noteClaimed(sent, 1)
    expect(await open(window)).toBe(true)
  },
)

test('a full group is sent at once', async () => {
  const window = new SendWindow(LOST_MS)
  await sendLate(window, anId())
  let gone = false
  void window.whenOpen().then(() => {
    gone = true
  })
  await vi.advanceTimersByTimeAsync(0)
  expect(gone).toBe(false)
  window.openNow()
  await vi.advanceTimersByTimeAsync(0)
  expect(gone).toBe(true)
})

test('a group without announcements, or of repeats only, does not hold back the next', async () => {
  const window = new SendWindow(LOST_MS)
  window.noteSent([anId()])
  await vi.advanceTimersByTimeAsync(LOST_MS)
  expect(await open(window)).toBe(true)
  const sent = await sendLate(window, anId())
  expect(await open(window)).toBe(false)
  window.noteClaimed(sent, 0)
  expect(await open(window)).toBe(true)
})

test('with slow checks that run in parallel, more groups are in flight at once', async () => {
  const window = new SendWindow(LOST_MS)
  await decideEach(window, 20, 300)
  expect(window.size).toBe(8)
  await sendLate(window, anId())
  expect(await open(window)).toBe(false)
  const gone = window.whenOpen()
  await vi.advanceTimersByTimeAsync(50)
  await gone
})

test('with groups that queue behind each other, one is in flight at a time', async () => {
  const window = new SendWindow(LOST_MS)
  await decideEach(window, 20, 300)
  await decideEach(window, 4, 1_000)
  expect(window.size).toBe(1)
})
