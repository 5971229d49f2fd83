import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { expect, test } from 'vitest'
import { OrderEvent } from '../event.ts'
import { asyncApiDocument } from './asyncapi.ts'
import { published } from './published.ts'

test.each(published.map(({ file, text }) => [basename(file), file, text] as const))(
  'the published %s is up to date (npm run asyncapi writes it)',
  async (_name, file, text) => {
    expect(await readFile(file, 'utf8')).toBe(text())
  },
)

/** The references in a document, wherever they are. */
const referencesIn = (part: unknown): string[] =>
  part !== null && typeof part === 'object'
    ? Object.entries(part).flatMap(([name, value]) =>
        name === '$ref' ? [String(value)] : referencesIn(value),
      )
    : []

test('every reference of the AsyncAPI document leads somewhere', () => {
  const document: unknown = asyncApiDocument()
  for (const reference of referencesIn(document)) {
    const path = reference.replace(/^#\//, '').split('/')
    const found = path.reduce<unknown>(
      (part, name) => (part as Record<string, unknown> | undefined)?.[name],
      document,
    )
    expect(found, reference).toBeDefined()
  }
})

test('every example of the AsyncAPI document is an event, or a batch of them', () => {
  const { messages } = asyncApiDocument().components
  const payloads = Object.values(messages).flatMap((message) =>
    (message as { examples: { payload: unknown }[] }).examples.flatMap(({ payload }) => payload),
  )
  expect(payloads).toHaveLength(6)
  for (const payload of payloads) expect(OrderEvent.parse(payload)).toEqual(payload)
})
