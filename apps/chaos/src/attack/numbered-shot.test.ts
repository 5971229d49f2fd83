import { generateKeyPairSync } from 'node:crypto'
import { expect, test } from 'vitest'
import { numberedShot } from './numbered-shot.ts'
import { poolRequest } from './pool-request.ts'

const NUMBERS = Array.from({ length: 300 }, (_, n) => n)

/**
 * The shots of a run: it has a key of its own, and so other signatures, and it is made at another
 * time.
 */
function shotsOf(seed: number) {
  const { privateKey: key } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const signing = { clientId: 'CLIENT', key }
  const pool = Array.from({ length: 10 }, (_, n) => ({
    ...poolRequest(n, signing),
    paymentRequestId: `A${n}`,
  }))
  return NUMBERS.map((number) => numberedShot(seed, number, { signing, pool }))
}

/** What a signature or a time is made of. */
const signed = /[\w%.:-]/

/**
 * How many bytes differ; undefined where one differs that is not of a signature or a time in both.
 */
function differing(one: Buffer, other: Buffer): number | undefined {
  let count = 0
  for (const [at, byte] of one.entries()) {
    if (byte === other[at]) continue
    const both = [byte, other[at] ?? 0].map((code) => String.fromCharCode(code))
    if (!both.every((char) => signed.test(char))) return undefined
    count += 1
  }
  return count
}

test('a shot is the same in every run but for times and signatures', () => {
  const [first, second] = [shotsOf(7), shotsOf(7)]
  for (const number of NUMBERS) {
    const [one, other] = [first[number], second[number]]
    if (one === undefined || other === undefined) throw new Error(`there is no shot ${number}`)
    const { pieces, placed, ...rest } = one
    expect(other).toMatchObject(rest)
    expect(other.placed.map(({ paymentId }) => paymentId)).toEqual(
      placed.map(({ paymentId }) => paymentId),
    )
    expect(other.pieces.map(({ length }) => length)).toEqual(pieces.map(({ length }) => length))
    const count = differing(Buffer.concat(pieces), Buffer.concat(other.pieces))
    // Of a signature 344 characters may differ, of a time 24; some changes have a part twice.
    expect(count).toBeLessThan(12 * (344 + 24) + 1)
  }
})

test('another seed or number is another shot', () => {
  const [one, other] = [shotsOf(7), shotsOf(8)]
  const bytesOf = (shots: typeof one) => new Set(shots.map(({ pieces }) => pieces.join('|')))
  expect(bytesOf(one).size).toBeGreaterThan(NUMBERS.length / 2)
  expect(bytesOf(other).isDisjointFrom(bytesOf(one))).toBe(false)
})
