import { generateKeyPairSync } from 'node:crypto'
import { answer, parseSignatureHeader, signedText, verify } from '@placeorder/protocol'
import { describe, expect, test } from 'vitest'
import { Rate } from '../rate.ts'
import { type AnswerHeaders, type AnswerToSign, Signer } from './signer.ts'
import { SigningQueue, SigningTimeout } from './signing-queue.ts'

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const signerOf = (key = privateKey, queue = new SigningQueue(2)) =>
  new Signer(() => ({ key, version: '1' }), queue)
const turn = { rank: 'order', flow: 'C-1', deadlineAt: Number.POSITIVE_INFINITY } as const

const answered = (
  code: Parameters<typeof answer>[0],
  changes: Partial<AnswerToSign> = {},
): AnswerToSign => ({
  target: '/place',
  clientId: 'C-1',
  body: Buffer.from(JSON.stringify(answer(code, 'R-1'))),
  shareable: false,
  ...changes,
})
const placed = answered('SUCCESS')

const isSigned = ({ target, clientId, body }: AnswerToSign, headers: AnswerHeaders): boolean => {
  const { signature = Buffer.alloc(0) } = parseSignatureHeader(headers.signature) ?? {}
  return verify(signedText(target, clientId, headers['response-time'], body), publicKey, signature)
}

test('an expected answer gets the signature that was made ahead', async () => {
  const signer = signerOf()
  const expected = signer.prepare(placed, turn)
  const headers = await signer.headersFor(answered('SUCCESS'), turn, expected)
  expect(headers.signature).toBe(await expected.made?.signing.signature)
  expect(isSigned(placed, headers)).toBe(true)
})

test('an answer is signed with the key in force, even if a shared one exists', async () => {
  const next = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  let key = { key: next, version: '1' }
  const signer = new Signer(() => key, new SigningQueue(2))
  const refused = answered('REQUEST_TRAFFIC_EXCEED_LIMIT', { shareable: true })
  const versions = async () => {
    const before = await signer.headersFor(refused, turn)
    key = { key: privateKey, version: '2' }
    const after = await signer.headersFor(refused, turn)
    key = { key: next, version: '1' }
    if (before['response-time'] !== after['response-time']) return 'of two seconds'
    return [before, after].map((headers) => parseSignatureHeader(headers.signature)?.keyVersion)
  }
  await expect.poll(versions, { timeout: 10_000 }).toEqual(['1', '2'])
})

test.each([
  ['has another code', answered('RISK_REJECT')],
  ['has another order', { ...placed, body: Buffer.from(JSON.stringify(answer('SUCCESS', 'R-2'))) }],
  ['is at another path', { ...placed, target: '/inquire' }],
  ['is for another client', { ...placed, clientId: 'C-2' }],
])('an answer that %s than expected gets a signature of its own', async (_how, other) => {
  const signer = signerOf()
  const headers = await signer.headersFor(other, turn, signer.prepare(placed, turn))
  expect(isSigned(other, headers)).toBe(true)
  expect(isSigned(placed, headers)).toBe(false)
})

test('a signature that was made a second ago is made again', async () => {
  const signer = signerOf()
  const expected = signer.prepare(placed, turn)
  const headers = await signer.headersFor(placed, turn, {
    ...expected,
    at: expected.at - 1_000,
    made: expected.made && { ...expected.made, time: 'past' },
  })
  expect(headers['response-time']).not.toBe('past')
  expect(isSigned(placed, headers)).toBe(true)
})

test('nothing is signed ahead while expectations turn out wrong', async () => {
  const signer = signerOf()
  const isAhead = () => signer.prepare(placed, turn).made !== undefined
  const signAnswer = (code: 'SUCCESS' | 'RISK_REJECT') => {
    const shareable = true // One signature is enough for all of them.
    const expected = { answer: placed, at: 0, made: undefined }
    return signer.headersFor(answered(code, { shareable }), turn, expected)
  }
  for (let n = 0; n < 6; n += 1) await signAnswer('RISK_REJECT')
  expect(isAhead()).toBe(false)
  for (let n = 0; n < 64; n += 1) await signAnswer('SUCCESS')
  expect(isAhead()).toBe(true)
})

test('a key that cannot sign fails the answer, and nothing else', async () => {
  const signer = signerOf(publicKey)
  await expect(signer.headersFor(placed, turn, signer.prepare(placed, turn))).rejects.toThrow()
})

describe('strangers share a small budget of signatures', () => {
  const stranger = { rank: 'stranger', flow: '', deadlineAt: Number.POSITIVE_INFINITY } as const
  const kinds = ['NO_INTERFACE_DEF', 'INVALID_CLIENT', 'PARAM_ILLEGAL'] as const
  const refused = (code: Parameters<typeof answer>[0], target: string): AnswerToSign => ({
    ...answered(code, { target, clientId: 'UNKNOWN', shareable: true }),
    body: Buffer.from(JSON.stringify(answer(code))),
  })
  const signerFor = (budget: number, queue = new SigningQueue(2)) =>
    new Signer(() => ({ key: privateKey, version: '1' }), queue, new Rate(budget, () => 0))

  test('past it they get a generic answer, one signature a code and second', async () => {
    const signer = signerFor(5)
    const all = Array.from({ length: 200 }, (_, at) => refused(kinds[at % 3] ?? kinds[0], `/${at}`))
    const headers = await Promise.all(all.map((one) => signer.headersFor(one, stranger)))
    const isGood = all.map((one, at) => {
      const to = at < 5 ? one : { ...one, target: '/', clientId: 'UNKNOWN' }
      const got = headers[at]
      return got !== undefined && got['client-id'] === to.clientId && isSigned(to, got)
    })
    expect(isGood).toEqual(all.map(() => true))
    const seconds = new Set(headers.map((one) => one['response-time'])).size
    const signatures = new Set(headers.map(({ signature }) => signature)).size
    expect(signatures).toBeLessThanOrEqual(5 + kinds.length * seconds)
  })

  test('the same answer in the same second uses none of it', async () => {
    const signer = signerFor(2)
    const same = Array.from({ length: 50 }, () => refused('INVALID_SIGNATURE', '/place'))
    await Promise.all(same.map((one) => signer.headersFor(one, stranger)))
    const other = refused('NO_INTERFACE_DEF', '/nowhere')
    expect(isSigned(other, await signer.headersFor(other, stranger))).toBe(true)
  })

  test('a known client gets its refusal signed even if they used it up', async () => {
    const signer = signerFor(0)
    const known = answered('ACCESS_DENIED', { target: '/place?a=1', shareable: true })
    const headers = await signer.headersFor(known, { ...turn, rank: 'known' })
    expect(headers['client-id']).toBe('C-1')
    expect(isSigned(known, headers)).toBe(true)
  })

  test('a known client that changes its target each time fills no memory', async () => {
    const queue = new SigningQueue(1)
    const signer = signerFor(0, queue)
    const all = Array.from({ length: 2_000 }, (_, at) =>
      signer.headersFor(refused('PARAM_ILLEGAL', `/place?${at}`), { ...turn, rank: 'known' }),
    )
    expect(queue.size).toBeLessThan(300)
    await Promise.all(all)
  })
})

test('an answer that was not signed in time can be signed later', async () => {
  const queue = new SigningQueue(1)
  const signer = signerOf(privateKey, queue)
  const busy = Promise.withResolvers<string>()
  queue.add(() => busy.promise, turn)
  const refusal = answered('PARAM_ILLEGAL', { shareable: true })
  await expect(signer.headersFor(refusal, { ...turn, deadlineAt: 0 })).rejects.toThrow(
    SigningTimeout,
  )
  busy.resolve('')
  expect(isSigned(refusal, await signer.headersFor(refusal, turn))).toBe(true)
})
