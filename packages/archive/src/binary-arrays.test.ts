import { testPostgres } from '@placeorder/testkit'
import { afterAll, expect, test } from 'vitest'
import { textArray, timeArray } from './binary-arrays.ts'

const postgres = await testPostgres()
afterAll(() => postgres.close())

test('PostgreSQL reads any text as it is, and undefined as NULL', async () => {
  const texts = ['', 'a,b', '{"\\"}', 'NULL', 'é 你好 🛒', '\u0001\n\t', 'x'.repeat(10_000)]
  const rows = await postgres.query('SELECT $1::text[] AS texts, $2::text[] AS none', [
    textArray(texts),
    textArray([undefined]),
  ])
  expect(rows).toEqual([{ texts, none: [null] }])
})

test('PostgreSQL reads times to the millisecond, before and after 2000', async () => {
  const times = [0, 1, Date.UTC(1999, 11, 31, 23, 59, 59, 999), Date.UTC(2000), 1_764_540_000_589]
  const rows = await postgres.query('SELECT $1::timestamptz[] AS times', [timeArray(times)])
  expect(rows).toEqual([{ times: times.map((ms) => new Date(ms)) }])
})
