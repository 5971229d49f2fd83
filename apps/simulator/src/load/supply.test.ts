import { expect, test } from 'vitest'
import type { Kind } from './mix.ts'
import type { Ready } from './sign-ahead.ts'
import { Supply } from './supply.ts'

const signed = { url: new URL('http://any/'), headers: {}, body: Buffer.alloc(0) }
const ready = (kind: Kind, order: number): Ready => ({ kind, order, signed })
const words = ({ kind, order }: Ready) => `${kind} ${order}`
const rest = (supply: Supply) => {
  const taken: string[] = []
  while (!supply.empty) taken.push(words(supply.take()))
  return taken
}

test('hands out in the planned order what is about orders that are done', () => {
  const supply = new Supply([
    ready('new', 0),
    ready('new', 1),
    ready('repeat', 0),
    ready('new', 2),
    ready('new', 3),
  ])
  expect(words(supply.take())).toBe('new 0')
  supply.orderDone(0, 'ACCEPTED')
  expect(rest(supply)).toEqual(['new 1', 'repeat 0', 'new 2', 'new 3'])
})

test('what is about an order waits until that is done, and new orders go first', () => {
  const supply = new Supply([
    ready('new', 0),
    ready('inquiry', 0),
    ready('new', 1),
    ready('new', 2),
    ready('new', 3),
  ])
  expect(words(supply.take())).toBe('new 0')
  expect(words(supply.take())).toBe('new 1')
  supply.orderDone(0, 'ACCEPTED')
  expect(rest(supply)).toEqual(['new 2', 'inquiry 0', 'new 3'])
})

test('what waits is not held up by another that waits longer', () => {
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

test('another amount is left out when nobody knows whether its order was taken in', () => {
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

test('is empty when what is left waits for orders that are not done', () => {
  const supply = new Supply([ready('new', 0), ready('repeat', 0)])
  expect(rest(supply)).toEqual(['new 0'])
})
