import { expect, test } from 'vitest'
import { countersOf, perOrder } from './redis.ts'

const counters = (gets: number, sets: number, outputBytes: number) =>
  countersOf(
    `# Stats\r\ntotal_net_output_bytes:${outputBytes}\r\n` +
      '# Memory\r\nused_memory:77\r\nused_memory_human:1K\r\n',
    `# Commandstats\r\ncmdstat_get:calls=${gets},usec=5,usec_per_call=1.00\r\n` +
      `cmdstat_set:calls=${sets},usec=5,usec_per_call=1.00\r\n` +
      'cmdstat_info:calls=9,usec=5,usec_per_call=1.00\r\n',
  )

test('counters are divided by orders, without our own INFO commands', () => {
  const difference = perOrder(counters(10, 0, 1_000), counters(30, 5, 3_000), 10)
  expect(difference).toEqual({
    commands: 2.5,
    outputBytes: 200,
    byCommand: [
      ['get', 2],
      ['set', 0.5],
    ],
  })
})

test('memory is read from its own line', () => {
  expect(counters(1, 1, 1).usedMemoryBytes).toBe(77)
})
