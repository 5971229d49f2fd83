import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { copyFile, writeFile } from 'node:fs/promises'
import { connect as connectTcp } from 'node:net'
import { join } from 'node:path'
import { connect } from 'node:tls'
import {
  aPlaceOrder,
  type CallOptions,
  type Ingress,
  openAuthority,
  openSystem,
  signedCall,
  untilAdmitted,
} from '@placeorder/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { liveTls } from '../src/connection/tls.ts'

const system = await openSystem()
afterAll(() => system.close())
const ours = await openAuthority(system.dir, 'our-authority')
const theirs = await openAuthority(system.dir, 'caller-authority')
const stranger = await openAuthority(system.dir, 'strange-authority')
const [first, next] = [await ours.issue('first'), await ours.issue('next')]
const [caller, impostor] = [await theirs.issue('caller'), await stranger.issue('impostor')]

const theFirst = { TLS_CERT_FILE: first.certFile, TLS_KEY_FILE: first.keyFile }

const place = (ingress: Ingress, tls?: CallOptions['tls']) =>
  untilAdmitted(() =>
    signedCall(
      `${ingress.origin}/aps/api/v1/payments/placeOrder`,
      aPlaceOrder(),
      system.caller,
      tls === undefined ? {} : { tls },
    ),
  )

/** The certificate that a new connection gets. */
async function shownBy(ingress: Ingress): Promise<string> {
  const port = Number(new URL(ingress.origin).port)
  const socket = connect({ host: '127.0.0.1', port, ca: ours.cert })
  try {
    await new Promise((resolve, reject) =>
      socket.once('secureConnect', resolve).once('error', reject),
    )
    return socket.getPeerX509Certificate()?.fingerprint256 ?? ''
  } finally {
    socket.destroy()
  }
}
const fingerprint = (cert: string) => new X509Certificate(cert).fingerprint256

beforeAll(async () => void (await system.startWorker()))

describe('an ingress with a certificate', () => {
  test('answers over TLS only', async () => {
    const ingress = await system.startIngress(theFirst)
    const answer = await place(ingress, { ca: ours.cert })
    expect(answer).toMatchObject({ status: 200, verified: true, code: 'SUCCESS' })
    await expect(ingress.place(aPlaceOrder())).rejects.toThrow()
    await expect(place(ingress, { ca: stranger.cert })).rejects.toThrow(/certificate/)
  })

  test('changes it without a restart, once certificate and key match', async () => {
    const [certFile, keyFile] = [join(system.dir, 'tls.pem'), join(system.dir, 'tls.key')]
    await copyFile(first.certFile, certFile)
    await copyFile(first.keyFile, keyFile)
    const ingress = await system.startIngress({ TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile })
    expect(await shownBy(ingress)).toBe(fingerprint(first.cert))
    await writeFile(certFile, next.cert) // Its key follows later.
    await ingress.waitFor(/is the certificate of another key.*a changed file is faulty/)
    expect(await shownBy(ingress)).toBe(fingerprint(first.cert))
    await writeFile(keyFile, next.key)
    await expect.poll(() => shownBy(ingress), { timeout: 10_000 }).toBe(fingerprint(next.cert))
    expect((await place(ingress, { ca: ours.cert })).code).toBe('SUCCESS')
  })
})

describe('an ingress that asks callers for a certificate', () => {
  test('answers only those whose certificate its authority signed', async () => {
    const ingress = await system.startIngress({ ...theFirst, TLS_CLIENT_CA_FILE: theirs.certFile })
    const { cert, key } = caller
    expect(await place(ingress, { ca: ours.cert, cert, key })).toMatchObject({
      verified: true,
      code: 'SUCCESS',
    })
    await expect(place(ingress, { ca: ours.cert })).rejects.toThrow()
    await expect(
      place(ingress, { ca: ours.cert, cert: impostor.cert, key: impostor.key }),
    ).rejects.toThrow()
  })

  test('trusts another authority once its file names it', async () => {
    const caFile = join(system.dir, 'callers.pem')
    await copyFile(theirs.certFile, caFile)
    const ingress = await system.startIngress({ ...theFirst, TLS_CLIENT_CA_FILE: caFile })
    await writeFile(caFile, theirs.cert + stranger.cert)
    const { cert, key } = impostor
    const code = () =>
      place(ingress, { ca: ours.cert, cert, key }).then(
        (answer) => answer.code,
        () => 'rejected',
      )
    await expect.poll(code, { timeout: 10_000 }).toBe('SUCCESS')
    expect((await place(ingress, { ca: ours.cert, cert: caller.cert, key: caller.key })).code).toBe(
      'SUCCESS',
    )
  })
})

test.each([
  ['sends nothing', Buffer.alloc(0)],
  ['stops in a handshake', Buffer.from('16030100c80100', 'hex')],
])('a caller that connects and %s does not keep an ingress from exiting', async (_how, sent) => {
  const ingress = await system.startIngress(theFirst)
  const socket = connectTcp(Number(new URL(ingress.origin).port), '127.0.0.1')
  socket.on('error', () => {}) // It is reset if what it sent was not read.
  const closed = new Promise((resolve) => socket.once('close', resolve))
  await once(socket, 'connect')
  socket.write(sent)
  // Once it is answered, what was sent before has been read.
  await place(ingress, { ca: ours.cert })
  ingress.kill('SIGTERM')
  await closed
  expect(await ingress.exited).toBe(0)
})

test('a certificate with the key of another is a fault at start', async () => {
  const named = {
    TLS_CERT_FILE: first.certFile,
    TLS_KEY_FILE: next.keyFile,
    TLS_CLIENT_CA_FILE: undefined,
  }
  await expect(liveTls(named, () => {})).rejects.toThrow(
    /first\.pem: is the certificate of another key than .*next\.key/,
  )
})
