import { expect, test } from 'vitest'
import { isTimeZone, timeZoneLike } from './time-zone.ts'

test.each([
  'UTC',
  'Asia/Shanghai',
  'Asia/Kolkata',
  'Asia/Ho_Chi_Minh',
  'America/Argentina/Buenos_Aires',
  'Etc/GMT-8',
])('%s means one zone to everybody', (name) => {
  expect(isTimeZone(name)).toBe(true)
})

test.each([
  ['CST', 'Asia/Shanghai'], // What `date` prints in Shanghai, and Node reads as Chicago.
  ['PRC', 'Asia/Shanghai'],
  ['Shanghai', 'Asia/Shanghai'],
  ['Asia/Beijing', 'Asia/Shanghai'],
  ['Asia/Shangai', 'Asia/Shanghai'],
  ['shanghai/asia', 'Asia/Shanghai'],
  ['GMT+8', 'Asia/Shanghai'],
  ['UTC+08:00', 'Asia/Shanghai'],
  ['+0800', 'Asia/Shanghai'],
  ['+09:00', 'Etc/GMT-9'],
  ['UTC-5', 'Etc/GMT+5'],
  ['JST', 'Asia/Tokyo'],
  ['Japan', 'Asia/Tokyo'],
  ['Singapore', 'Asia/Singapore'],
  ['Hong Kong', 'Asia/Hong_Kong'],
  ['EST', 'America/New_York'],
  ['EST5EDT', 'America/New_York'],
  ['GMT', 'UTC'],
  ['Z', 'UTC'],
  ['utc', 'UTC'],
  ['Etc', 'Asia/Shanghai'],
  ['', 'Asia/Shanghai'],
])('"%s" does not; "%s" may be meant', (name, meant) => {
  expect(isTimeZone(name)).toBe(false)
  expect(isTimeZone(meant)).toBe(true)
  expect(timeZoneLike(name)).toBe(meant)
})
