import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { packRequest, unpackRequest } from './request-codec.ts'

const sample = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../../config/sample-order.json'), 'utf8'),
)

test('any order comes back as it went in', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 512 }),
      fc.string({ maxLength: 64 }),
      (codeValue, customerId) => {
        const order = { ...sample, codeValue, customerId }
        expect(unpackRequest(packRequest(order))).toEqual(order)
      },
    ),
  )
})

test('the sample is kept in less than a third of its bytes', () => {
  expect(packRequest(sample).length).toBeLessThan(JSON.stringify(sample).length / 3)
})

test('what is not ours, or damaged, is not taken for an order', () => {
  const packed = packRequest(sample)
  expect(() => unpackRequest(Buffer.concat([Buffer.of(9), packed.subarray(1)]))).toThrow('version')
  expect(() => unpackRequest(packed.subarray(0, 40))).toThrow()
  expect(() => unpackRequest(Buffer.alloc(0))).toThrow()
})
