import { freePort } from '@placeorder/local-services/redis'
import { openAuthority, standaloneFolder } from '@placeorder/testkit'
import { afterAll, expect, test } from 'vitest'

const folder = await standaloneFolder()
afterAll(() => folder.close())

test('npm start with a certificate places its own order over TLS', async () => {
  const { certFile, keyFile } = await (await openAuthority(folder.dir, 'authority')).issue('ours')
  const env = { TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile, PORT: String(await freePort()) }
  const started = folder.start({ args: ['--once'], env })
  expect(await started.exited, started.lines.join('\n')).toBe(0)
  expect(started.lines.join('\n')).toContain(`POST https://127.0.0.1:${env.PORT}/aps/api`)
}, 90_000)
