import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { EventData, eventIdOf, OrderEvent, parseSinks, SinkEntry } from '../src/index.ts'

const docs = await readFile(join(import.meta.dirname, '../../../docs/events.md'), 'utf8')
const shown = [...docs.matchAll(/```json\n([\s\S]*?)```/g)].map(([, text = '']) => text)
const shownWith = (word: string) => shown.find((text) => text.includes(word)) ?? ''

test('the event in docs/events.md has every field of an event, and its true id', () => {
  const event = OrderEvent.parse(JSON.parse(shownWith('"specversion"')))
  const { acquirerId, paymentId } = event.data
  expect(event.type).toBe('order.placed')
  expect(event.id).toBe(eventIdOf(acquirerId, paymentId, 'order.placed'))
  const personal = ['codeValue', 'customerId', 'env']
  const fields = Object.keys(EventData.shape).filter((field) => !personal.includes(field))
  expect(Object.keys(event.data).sort()).toEqual(fields.sort())
})

test('the sinks in docs/events.md are good, and of every kind', async () => {
  const sinks = await parseSinks(shownWith('"redis-stream"'), 'events.json')
  expect(sinks.map(({ type }) => type)).toEqual(['webhook', 'redis-stream', 'module'])
})

test('docs/events.md has every setting of every kind of sink', () => {
  const rows = [...docs.matchAll(/^\| `(\w+)` \| ([\w, -]+) \|/gm)]
  const written = new Map(rows.map(([, setting = '', kinds = '']) => [setting, kinds]))
  const kindsOf = new Map<string, string[]>()
  for (const { shape } of SinkEntry.options)
    for (const setting of Object.keys(shape))
      kindsOf.set(setting, [...(kindsOf.get(setting) ?? []), shape.type.value])
  const all = SinkEntry.options.length
  const expected = [...kindsOf].map(([setting, kinds]) => [
    setting,
    kinds.length === all ? 'all' : kinds.join(', '),
  ])
  expect([...written].sort()).toEqual(expected.sort())
})
