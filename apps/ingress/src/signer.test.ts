import { generateKeyPairSync } from 'node:crypto'
import { answer, parseSignatureHeader, signedText, verify } from '@placeorder/protocol'
import { expect, test } from 'vitest'
import { type AnswerHeaders, type AnswerToSign, Signer } from './signer.ts'

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const signerOf = () => new Signer(() => ({ key: privateKey, version: '1' }))

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

test('an answer that was expected has the signature that was made meanwhile', async () => {
  const signer = signerOf()
  const expected = signer.expect(placed)
  expect(signer.inFlight).toBe(1)
  const headers = await signer.headersFor(answered('SUCCESS'), expected)
  expect(headers).toBe(await expected.headers)
  expect(isSigned(placed, headers)).toBe(true)
})

test.each([
  ['says another thing', answered('RISK_REJECT')],
  ['has another order', { ...placed, body: Buffer.from(JSON.stringify(answer('SUCCESS', 'R-2'))) }],
  ['is at another path', { ...placed, target: '/inquire' }],
  ['is for another client', { ...placed, clientId: 'C-2' }],
])('an answer that %s than was expected has a signature of its own', async (_how, other) => {
  const signer = signerOf()
  const headers = await signer.headersFor(other, signer.expect(placed))
  expect(isSigned(other, headers)).toBe(true)
  expect(isSigned(placed, headers)).toBe(false)
})

test('what was signed a second ago is signed anew: its Response-Time is past', async () => {
  const signer = signerOf()
  const expected = signer.expect(placed)
  const headers = await signer.headersFor(placed, { ...expected, at: expected.at - 1_000 })
  expect(headers).not.toBe(await expected.headers)
  expect(isSigned(placed, headers)).toBe(true)
})

test('nothing is signed ahead while orders come out otherwise, until they come out as expected again', async () => {
  const signer = signerOf()
  const isAhead = () => signer.expect(placed).headers !== undefined
  const comesOut = (code: 'SUCCESS' | 'RISK_REJECT') => {
    const shareable = true // One signature is enough for all of them.
    return signer.headersFor(answered(code, { shareable }), {
      answer: placed,
      at: 0,
      headers: undefined,
    })
  }
  for (let n = 0; n < 6; n += 1) await comesOut('RISK_REJECT')
  expect(isAhead()).toBe(false)
  for (let n = 0; n < 64; n += 1) await comesOut('SUCCESS')
  expect(isAhead()).toBe(true)
})

test('a key that cannot sign fails the answer, and nothing else', async () => {
  const signer = new Signer(() => ({ key: publicKey, version: '1' }))
  await expect(signer.headersFor(placed, signer.expect(placed))).rejects.toThrow()
})
