import { expect, onTestFinished, test } from 'vitest'
import { openTestStore } from '../../test/test-store.ts'
import { joinedKey } from '../keys.ts'
import { FirstJoined } from './first-joined.ts'

const { address, connection } = await openTestStore({ own: true })

/** Longer than any test (ms). */
const LONG_MS = 60_000

async function open(): Promise<FirstJoined> {
  const firstJoined = new FirstJoined(address, 0, () => {})
  onTestFinished(() => firstJoined.close())
  await expect.poll(() => firstJoined.isFree).toBe(true)
  return firstJoined
}

test('the first group that joins is returned, and stays on the list', async () => {
  const first = (await open()).of('g-1', LONG_MS)
  await connection.rpush(joinedKey(0, 'g-1'), 'one', 'two')
  expect(await first).toBe('one')
  expect(await connection.lrange(joinedKey(0, 'g-1'), 0, -1)).toEqual(['one', 'two'])
})

test('a group that joined before is returned at once, and the list keeps its expiry', async () => {
  await connection.rpush(joinedKey(0, 'g-2'), 'one')
  await connection.expire(joinedKey(0, 'g-2'), 1_000)
  expect(await (await open()).of('g-2', LONG_MS)).toBe('one')
  expect(await connection.ttl(joinedKey(0, 'g-2'))).toBeGreaterThan(0)
})

test('nothing is returned when no group comes in time', async () => {
  const firstJoined = await open()
  expect(await firstJoined.of('g-3', 50)).toBeUndefined()
  // A busy Redis may answer after the wait was given up.
  await expect.poll(() => firstJoined.isFree).toBe(true)
})

test('one job waits at a time, and a wait ends when it is closed', async () => {
  const firstJoined = await open()
  const first = firstJoined.of('g-4', LONG_MS)
  expect(firstJoined.isFree).toBe(false)
  firstJoined.close()
  expect(await first).toBeUndefined()
  expect(firstJoined.isFree).toBe(false)
})
