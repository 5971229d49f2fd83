import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { OutboxSwitch } from './outbox-switch.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }))
afterEach(() => void vi.useRealTimers())

let replies: (number | Error)[] = []
const connection = {
  hexists: async () => {
    const reply = replies.shift() ?? new Error('it is not asked so often')
    if (reply instanceof Error) throw reply
    return reply
  },
}
const replied = () => new Promise(setImmediate)

test('an outbox is known to be on once Redis has said so, for three seconds', async () => {
  replies = [1]
  const outboxes = new OutboxSwitch(connection)
  expect(outboxes.isOn(0)).toBe(false)
  await replied()
  expect(outboxes.isOn(0)).toBe(true)
  vi.advanceTimersByTime(2_999)
  expect(outboxes.isOn(0)).toBe(true)
  await replied() // With an error.
  vi.advanceTimersByTime(1)
  expect(outboxes.isOn(0)).toBe(false)
})

test('an outbox that is switched off is known to be off a second later', async () => {
  replies = [1, 0]
  const outboxes = new OutboxSwitch(connection)
  outboxes.isOn(0)
  await replied()
  vi.advanceTimersByTime(1_000)
  expect(outboxes.isOn(0)).toBe(true)
  await replied()
  expect(outboxes.isOn(0)).toBe(false)
  expect(replies).toEqual([])
})

test('each shard has an outbox of its own', async () => {
  replies = [1, 0]
  const outboxes = new OutboxSwitch(connection)
  for (const shard of [0, 1]) outboxes.isOn(shard)
  await replied()
  expect([0, 1].map((shard) => outboxes.isOn(shard))).toEqual([true, false])
})
