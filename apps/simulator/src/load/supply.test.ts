import { expect, test } from 'vitest'
import type { LoadKind } from './mix.ts'
import type { ReadyRequest } from './sign-planned.ts'
import { Supply } from './supply.ts'

const signed = { url: new URL('http://any/'), headers: {}, body: Buffer.alloc(0) }
const ready = (kind: LoadKind, order: number): ReadyRequest => ({ kind, order, signed })
const label = ({ kind, order }: ReadyRequest) => `${kind} ${order}`
const rest = (supply: Supply) => {
  const taken: string[] = []
  while (!supply.empty) taken.push(label(supply.take()))
  return taken
}

test('requests about orders that are done come in the planned order', () => {
  const supply = new Supply([
    ready('new', 0),
    ready('new', 1),
    ready('repeat', 0),
    ready('new', 2),
    ready('new', 3),
  ])
  expect(label(supply.take())).toBe('new 0')
  supply.orderDone(0, 'ACCEPTED')
  expect(rest(supply)).toEqual(['new 1', 'repeat 0', 'new 2', 'new 3'])
})

test('a request about an order waits until it is done, and new orders go first', () => {
  const supply = new Supply([
    ready('new', 0),
    ready('inquiry', 0),
    ready('new', 1),
    ready('new', 2),
    ready('new', 3),
  ])
  expect(label(supply.take())).toBe('new 0')
  expect(label(supply.take())).toBe('new 1')
  supply.orderDone(0, 'ACCEPTED')
  expect(rest(supply)).toEqual(['new 2', 'inquiry 0', 'new 3'])
})

test('a waiting request is not delayed by one that waits longer', () => {
  const all = [
    ready('new', 0),
    ready('new', 1),
    ready('repeat', 0),
    ready('repeat', 1),
    ready('new', 2),
    ready('new', 3),
  ]
  const supply = new Supply(all)
  supply.take()
  supply.take()
  supply.orderDone(1, 'ACCEPTED')
  expect(rest(supply)).toEqual(['new 2', 'repeat 1', 'new 3'])
})

test('another amount is skipped unless its order was surely accepted', () => {
  const all = [
    ready('new', 0),
    ready('new', 1),
    ready('inconsistent', 0),
    ready('repeat', 0),
    ready('new', 2),
  ]
  const supply = new Supply(all)
  supply.take()
  supply.orderDone(0, 'UNSURE')
  expect(rest(supply)).toEqual(['new 1', 'repeat 0', 'new 2'])
})

test('the supply is empty when all that is left waits for orders', () => {
  const supply = new Supply([ready('new', 0), ready('repeat', 0)])
  expect(rest(supply)).toEqual(['new 0'])
})
