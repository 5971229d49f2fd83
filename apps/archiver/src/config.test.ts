import { ConfigFault, readEnvironment } from '@placeorder/config'
import { expect, test } from 'vitest'
import { ArchivingEnvironment, keepMsOf } from './config.ts'

const ARCHIVE_URL = 'postgres://placeorder:secret@db:5432/placeorder'

test.each(['119', '0', '-1', '120.5', '1e3', 'a day', '315360001'])(
  'an archiver does not start with KEEP_SECONDS=%s, and says what it may be',
  (KEEP_SECONDS) => {
    const fault = 'KEEP_SECONDS: must be a whole number from 120 to 315360000'
    expect(() => readEnvironment(ArchivingEnvironment, { ARCHIVE_URL, KEEP_SECONDS })).toThrow(
      new ConfigFault([fault]),
    )
  },
)

test('an archiver names every faulty variable at once, and one that is missing', () => {
  const env = { KEEP_SECONDS: '60', FORGET: 'yes', ADMIN_PORT: 'x', DURABILITY: 'lax' }
  expect(() => readEnvironment(ArchivingEnvironment, env)).toThrow(
    new ConfigFault([
      'ARCHIVE_URL: is not set: name the PostgreSQL that orders are copied to',
      'FORGET: must be true or false',
      'KEEP_SECONDS: must be a whole number from 120 to 315360000',
      'ADMIN_PORT: must be a whole number from 0 to 65535',
      'DURABILITY: must be strict or relaxed',
    ]),
  )
})

test('KEEP_SECONDS counts only where orders are forgotten', () => {
  const keepMs = (FORGET: string) =>
    keepMsOf(
      readEnvironment(ArchivingEnvironment, { ARCHIVE_URL, FORGET, KEEP_SECONDS: '120' }),
      undefined,
    )
  expect([keepMs('true'), keepMs('false')]).toEqual([120_000, undefined])
})
