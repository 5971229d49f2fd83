import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { answer, formatSignatureHeader, type ResultCode, signedText } from '@placeorder/protocol'
import { expect, test } from 'vitest'
import { faultsInAnswers } from './check-answers.ts'
import type { Placed, Shot } from './shot.ts'

const acquirer = generateKeyPairSync('rsa', { modulusLength: 2048 })
const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 })
const known = { clientId: 'CLIENT', serverKey: acquirer.publicKey }
const placed: Placed = {
  bytes: Buffer.from('POST /place HTTP/1.1\r\n\r\n'),
  target: '/place',
  paymentId: 'P-1',
  paymentRequestId: 'R-1',
}
const shot: Shot = {
  kind: 'test',
  port: 'orders',
  pieces: [placed.bytes],
  requests: 1,
  leaving: { how: 'end' },
  placed: [placed],
  answersInAll: true,
  bare: false,
}

type Given = {
  code?: ResultCode
  id?: string
  target?: string
  to?: string
  key?: KeyObject
  status?: number
}

/** An answer as an ingress would send it, but for what is given. */
function answered({ code = 'SUCCESS', id = 'R-1', ...given }: Given = {}): Buffer {
  const { target = '/place', to = 'CLIENT', key = acquirer.privateKey, status = 200 } = given
  const time = '2026-01-01T00:00:00Z'
  const body = Buffer.from(JSON.stringify(answer(code, code === 'SUCCESS' ? id : undefined)))
  const signature = sign('RSA-SHA256', signedText(target, to, time, body), key)
  const lines = [
    `HTTP/1.1 ${status} OK`,
    `Client-Id: ${to}`,
    `Response-Time: ${time}`,
    `Signature: ${formatSignatureHeader('1', signature)}`,
    `Content-Length: ${body.length}`,
  ]
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), body])
}

const outcome = { isReset: false, isOpen: false, tookMs: 1 }
const faults = (received: Buffer, more: Partial<typeof outcome> = {}) =>
  faultsInAnswers(shot, { ...outcome, received, ...more }, known, () => {}).join('; ')

test.each<[string, Given]>([
  ['the answer it had', {}],
  ['a U', { code: 'PAYMENT_IN_PROCESS' }],
  [
    'a U for whom is unknown, past the budget',
    { code: 'UNKNOWN_EXCEPTION', to: 'UNKNOWN', target: '/' },
  ],
])('a placed order may be answered with %s', (_what, given) => {
  expect(faults(answered(given))).toBe('')
})

test.each<[string, Given, RegExp]>([
  ['a final F', { code: 'PARAM_ILLEGAL' }, /is placed, and answered PARAM_ILLEGAL/],
  ['another paymentRequestId', { id: 'R-2' }, /is R-1, and answered R-2/],
  ['another target', { target: '/other' }, /not signed/],
  ['a key of a stranger', { key: stranger.privateKey }, /not signed/],
  ['a Client-Id that a stranger chose', { to: 'ACQ.{}' }, /signed for "ACQ/],
  ['an HTTP error', { status: 500 }, /HTTP 500/],
])('an answer with %s is a fault', (_what, given, fault) => {
  expect(faults(answered(given))).toMatch(fault)
})

test.each<[string, Buffer, Partial<typeof outcome>, RegExp]>([
  ['no answer', Buffer.alloc(0), {}, /1 requests of a client got 0 answers/],
  ['two answers', Buffer.concat([answered(), answered()]), {}, /got 2 answers/],
  ['half an answer', answered().subarray(0, -5), {}, /what is no answer/],
  ['a connection that stays open', answered(), { isOpen: true }, /still open/],
])('%s is a fault', (_what, received, more, fault) => {
  expect(faults(received, more)).toMatch(fault)
})

test('a HEAD that is sent in pieces may get an answer without a body', () => {
  const pieces = ['HEA', 'D /place HTTP/1.1\r\n\r\n'].map((piece) => Buffer.from(piece))
  const head = answered().subarray(0, answered().indexOf('{'))
  const cut = { ...shot, pieces, placed: [], answersInAll: false }
  expect(faultsInAnswers(cut, { ...outcome, received: head }, known, () => {})).toEqual([])
})

test.each<[string, Buffer, number]>([
  ['may wait for its next request', Buffer.from('HTTP/1.1 417 Expectation Failed\r\n'), 0],
  ['may not be open without an answer', Buffer.alloc(0), 1],
])('a silent connection of an admin port %s', (_what, received, count) => {
  const silent: Shot = { ...shot, port: 'worker admin', leaving: { how: 'silence' } }
  const open = { ...outcome, received, isOpen: true }
  expect(faultsInAnswers(silent, open, known, () => {})).toHaveLength(count)
})
