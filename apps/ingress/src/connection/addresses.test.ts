import { describe, expect, test } from 'vitest'
import { addressIn, inRanges } from './addresses.ts'

test.each([
  ['203.0.113.7', '203.0.113.7'],
  ['203.0.113.7:51234', '203.0.113.7'],
  [' "203.0.113.7:51234" ', '203.0.113.7'],
  ['[203.0.113.7]:1', '203.0.113.7'],
  ['2001:db8::5', '2001:db8::5'],
  ['[2001:db8::5]', '2001:db8::5'],
  ['[2001:db8::5]:51234', '2001:db8::5'],
  ['"[2001:db8::5]:51234"', '2001:db8::5'],
  ['2001:db8:0:0:0:0:0:5:51234', '2001:db8:0:0:0:0:0:5'],
  ['[::1]:443', '::1'],
  ['fe80::1%eth0', 'fe80::1'],
  ['[fe80::1%25eth0]:443', 'fe80::1'],
  ['::ffff:203.0.113.7', '::ffff:203.0.113.7'],
  ['[::ffff:203.0.113.7]:51234', '::ffff:203.0.113.7'],
  ['unknown', 'unknown'],
  ['_hidden:80', '_hidden:80'],
  ['300.0.0.1:80', '300.0.0.1:80'],
  ['203.0.113.7:', '203.0.113.7:'],
  ['', ''],
])('the entry %s names the address %s', (entry, address) => {
  expect(addressIn(entry)).toBe(address)
})

describe('a range', () => {
  const isTrusted = inRanges([
    'loopback',
    'linklocal',
    'uniquelocal',
    '203.0.113.0/24',
    '2001:db8::1',
  ])
  test.each([
    ...['127.0.0.1', '127.255.255.255', '::1', '::ffff:127.0.0.1', '::ffff:7f00:1', 'fe80::1'],
    ...['169.254.1.1', '10.0.0.1', '172.31.255.255', '192.168.0.1', 'fd00::1', '203.0.113.255'],
    '2001:db8::1',
  ])('contains %s', (address) => {
    expect(isTrusted(address)).toBe(true)
  })
  test.each(['8.8.8.8', '172.32.0.1', '203.0.114.0', '2001:db8::2', 'unknown', ''])(
    'does not contain %s',
    (address) => {
      expect(isTrusted(address)).toBe(false)
    },
  )
  test('without entries contains nothing', () => {
    expect(inRanges([])('127.0.0.1')).toBe(false)
  })
})
