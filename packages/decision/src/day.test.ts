import fc from 'fast-check'
import { expect, test } from 'vitest'
import { calendarOf } from './day.ts'

test.each([
  ['Asia/Shanghai', '2026-03-01T15:59:59.999Z', '20260301'],
  ['Asia/Shanghai', '2026-03-01T16:00:00.000Z', '20260302'],
  ['UTC', '2026-12-31T23:59:59.999Z', '20261231'],
  ['UTC', '2027-01-01T00:00:00.000Z', '20270101'],
  ['Asia/Kathmandu', '2026-03-01T18:14:59.999Z', '20260301'],
  ['Asia/Kathmandu', '2026-03-01T18:15:00.000Z', '20260302'],
  // New York: 23 hours on 8 March 2026, 25 on 1 November 2026.
  ['America/New_York', '2026-03-08T04:59:59.999Z', '20260307'],
  ['America/New_York', '2026-03-08T05:00:00.000Z', '20260308'],
  ['America/New_York', '2026-03-09T03:59:59.999Z', '20260308'],
  ['America/New_York', '2026-03-09T04:00:00.000Z', '20260309'],
  ['America/New_York', '2026-11-02T04:59:59.999Z', '20261101'],
  ['America/New_York', '2026-11-02T05:00:00.000Z', '20261102'],
  // Where summer time begins at midnight, the day begins at one.
  ['Africa/Cairo', '2026-04-23T21:59:59.999Z', '20260423'],
  ['Africa/Cairo', '2026-04-23T22:00:00.000Z', '20260424'],
  // Samoa had no 30 December 2011.
  ['Pacific/Apia', '2011-12-30T09:59:59.999Z', '20111229'],
  ['Pacific/Apia', '2011-12-30T10:00:00.000Z', '20111231'],
] as const)('in %s, %s is in %s', (timeZone, moment, day) => {
  expect(calendarOf(timeZone)(Date.parse(moment))).toBe(day)
})

test('earlier calls never change the answer', () => {
  const zones = [
    'Asia/Shanghai',
    'America/St_Johns',
    'Australia/Lord_Howe',
    'Pacific/Apia',
    'Europe/London',
  ]
  const kept = new Map(zones.map((zone) => [zone, calendarOf(zone)] as const))
  const moments = fc.integer({ min: Date.parse('1975-01-01'), max: Date.parse('2060-01-01') })
  const near = fc.array(fc.integer({ min: -120_000, max: 120_000 }), { maxLength: 5 })
  fc.assert(
    fc.property(fc.constantFrom(...zones), moments, near, (zone, moment, offsets) => {
      for (const offset of [0, ...offsets]) {
        const ms = moment + offset
        const shown = new Intl.DateTimeFormat('sv-SE', {
          timeZone: zone,
          dateStyle: 'short',
        }).format(ms)
        expect(kept.get(zone)?.(ms)).toBe(shown.replaceAll('-', ''))
      }
    }),
    { numRuns: 300 },
  )
})

test('there is no calendar of a time zone that does not exist', () => {
  expect(() => calendarOf('Asia/Shangai')).toThrow(RangeError)
})
