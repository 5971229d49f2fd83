import { setTimeout as after } from 'node:timers/promises'
import { expect, test } from 'vitest'
import {
  type Rank,
  SigningQueue,
  type SigningTask,
  SigningTimeout,
  type Turn,
} from './signing-queue.ts'

/**
 * A queue whose threads are all busy, so that what is added waits; `begun` lists what had its turn.
 */
function busyQueue(threads = 1) {
  const queue = new SigningQueue(threads)
  const busy = Promise.withResolvers<string>()
  for (let at = 0; at < threads; at += 1) queue.add(() => busy.promise, turnOf('order', 'busy'))
  const begun: string[] = []
  const add = (name: string, turn: Turn): SigningTask => queue.add(noting(name, begun), turn)
  const drained = async (): Promise<string> => {
    busy.resolve('busy')
    await expect.poll(() => queue.size).toBe(0)
    return begun.join(' ')
  }
  return { queue, add, drained, begun }
}

/** A signature that records its turn. */
const noting = (name: string, begun: string[]) => async () => {
  begun.push(name)
  return name
}

const turnOf = (rank: Rank, flow: string = rank, deadlineAt = Number.POSITIVE_INFINITY): Turn => ({
  rank,
  flow,
  deadlineAt,
})

test('orders are signed first, then known clients, strangers and likely answers', async () => {
  const { add, drained } = busyQueue()
  for (const rank of ['ahead', 'stranger', 'known', 'order'] as const) add(rank, turnOf(rank))
  expect(await drained()).toBe('order known stranger ahead')
})

test('one signature of eight is for known clients, however many orders wait', async () => {
  const { add, drained } = busyQueue()
  for (let at = 0; at < 30; at += 1) add('o', turnOf('order'))
  for (let at = 0; at < 3; at += 1) add('k', turnOf('known'))
  const at = [...(await drained()).replaceAll(' ', '')].flatMap((name, at) =>
    name === 'k' ? at : [],
  )
  expect(at.map((one, before) => one - (at[before - 1] ?? -1))).toSatisfy((gaps: number[]) =>
    gaps.every((gap) => gap <= 8),
  )
})

test('the clients of one rank take turns', async () => {
  const { add, drained } = busyQueue()
  for (const name of ['a1', 'a2', 'a3', 'b1']) add(name, turnOf('order', name.slice(0, 1)))
  expect(await drained()).toBe('a1 b1 a2 a3')
})

test('strangers have one thread at most', async () => {
  const queue = new SigningQueue(4)
  const [first, begun] = [Promise.withResolvers<string>(), [] as string[]]
  queue.add(() => first.promise, turnOf('stranger'))
  queue.add(noting('stranger', begun), turnOf('stranger'))
  await queue.add(noting('order', begun), turnOf('order')).signature
  expect(begun).toEqual(['order'])
  first.resolve('')
  await expect.poll(() => begun).toEqual(['order', 'stranger'])
})

test('a likely answer waits for an idle thread until it is needed', async () => {
  const { queue, add, drained } = busyQueue()
  const [needed, dropped] = [add('needed', turnOf('ahead')), add('dropped', turnOf('ahead'))]
  add('order', turnOf('order'))
  add('known', turnOf('known'))
  queue.promote(needed, turnOf('order'))
  expect(queue.drop(dropped)).toBe(true)
  expect(await drained()).toBe('order needed known')
  expect(queue.drop(needed)).toBe(false)
})

test('a signature is never moved back to a later rank', async () => {
  const { queue, add, drained } = busyQueue()
  const order = add('order', turnOf('order'))
  add('known', turnOf('known'))
  queue.promote(order, turnOf('stranger'))
  expect(await drained()).toBe('order known')
})

test.each(['order', 'known', 'stranger', 'ahead'] as const)(
  'a signature that waits past its deadline is rejected: %s',
  async (rank) => {
    const { queue, add, begun } = busyQueue()
    const late = add('late', turnOf(rank, 'a', performance.now() + 10))
    const inTime = add('in time', turnOf(rank, 'a'))
    await expect(late.signature).rejects.toThrow(SigningTimeout)
    expect(begun).toEqual([])
    expect(queue.sizeOf(inTime.turn)).toBe(1)
  },
)

test('a slow signature is alone on its thread, so that later ones keep ranks', async () => {
  const queue = new SigningQueue(2)
  let begun = 0
  const slow = async () => {
    begun += 1
    await after(10)
    return ''
  }
  await queue.add(slow, turnOf('order')).signature
  expect(queue.signMs).toBeGreaterThan(5)
  expect(queue.paceMs).toBe(queue.signMs / 2)
  const all = Array.from({ length: 6 }, () => queue.add(slow, turnOf('order')))
  expect(begun).toBe(1 + 2)
  await Promise.all(all.map(({ signature }) => signature))
})

test('a signature that cannot be made fails alone', async () => {
  const queue = new SigningQueue(1)
  const failing = queue.add(() => Promise.reject(new Error('no key')), turnOf('order'))
  const next = queue.add(async () => 'signed', turnOf('order'))
  await expect(failing.signature).rejects.toThrow('no key')
  expect(await next.signature).toBe('signed')
})
