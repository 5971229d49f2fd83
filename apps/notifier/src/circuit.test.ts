import { expect, test } from 'vitest'
import { Circuit } from './circuit.ts'

function aCircuit() {
  const changes: boolean[] = []
  const clock = { now: 0 }
  const circuit = new Circuit(
    (open) => changes.push(open),
    () => clock.now,
  )
  const fail = (times: number, retryAfterMs?: number) => {
    for (let i = 0; i < times; i += 1) circuit.failed('down', retryAfterMs)
  }
  return { circuit, changes, clock, fail }
}

test('five failures in a row open it, and an answer begins the row anew', () => {
  const { circuit, fail } = aCircuit()
  fail(4)
  circuit.answered()
  fail(4)
  expect(circuit.isOpen).toBe(false)
  fail(1)
  expect(circuit.isOpen).toBe(true)
})

test('where little is sent, failing for 20 s opens it', () => {
  const { circuit, clock, fail } = aCircuit()
  fail(1)
  clock.now = 20_000
  expect(circuit.isOpen).toBe(false)
  fail(1)
  expect(circuit.isOpen).toBe(true)
})

test('an endpoint that wants to be left alone is left alone for that time', () => {
  const { circuit, clock, fail } = aCircuit()
  fail(1, 60_000)
  clock.now = 59_999
  expect([circuit.isOpen, circuit.isProbeDue]).toEqual([true, false])
  clock.now = 60_000
  expect(circuit.isProbeDue).toBe(true)
})

test.each<[what: string, happens: (circuit: Circuit) => void]>([
  ['a success', (circuit) => circuit.answered()],
  ['a failure that asks for nothing', (circuit) => circuit.failed('down')],
  ['a failure that asks for less', (circuit) => circuit.failed('down', 1_000)],
])('%s of what was sent before does not shorten that time', (_what, happens) => {
  const { circuit, clock, fail } = aCircuit()
  fail(1, 60_000)
  clock.now = 10_000
  happens(circuit)
  clock.now = 59_999
  expect([circuit.isOpen, circuit.isProbeDue]).toEqual([true, false])
  clock.now = 60_000
  expect([circuit.isOpen, circuit.isProbeDue]).toEqual([true, true])
  circuit.answered()
  expect(circuit.isOpen).toBe(false)
})

test.each([
  [5_000, 1_000],
  [600_000, 12_000],
  [86_400_000, 300_000],
])('after %i ms, it is probed every %i ms', (age, everyMs) => {
  const { circuit, clock, fail } = aCircuit()
  fail(5)
  clock.now = age
  fail(1)
  clock.now = age + everyMs - 1
  expect(circuit.isProbeDue).toBe(false)
  clock.now = age + everyMs
  expect(circuit.isProbeDue).toBe(true)
})

test('one probe at a time', async () => {
  const { circuit, clock, fail, changes } = aCircuit()
  fail(5)
  clock.now = 1_000
  const probes: number[] = []
  await circuit.probe(async () => {
    probes.push(1)
    await circuit.probe(async () => void probes.push(2))
    circuit.answered()
  })
  expect(probes).toEqual([1])
  expect(changes).toEqual([true, false])
})
