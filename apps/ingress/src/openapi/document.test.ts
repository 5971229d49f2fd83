import { readFile } from 'node:fs/promises'
import {
  InquiryOrderRequest,
  PlaceOrderAnswer,
  PlaceOrderRequest,
  parseBody,
  resultCodes,
} from '@placeorder/protocol'
import { createConfig, lint } from '@redocly/openapi-core'
import { expect, test } from 'vitest'
import { openApiDocument } from './document.ts'
import { published, publishedFile } from './published.ts'

const document = openApiDocument({ placeOrder: '/place', inquireOrder: '/inquire' })
const [place, inquire] = [document.paths['/place']?.post, document.paths['/inquire']?.post]
const examplesOf = (
  content: { 'application/json': { examples: Record<string, { value: unknown }> } } | undefined,
) => Object.values(content?.['application/json'].examples ?? {}).map(({ value }) => value)

test('the published document is up to date (npm run openapi writes it)', async () => {
  expect(await readFile(publishedFile, 'utf8')).toBe(published())
})

test('the linter reports no problem', async () => {
  const config = await createConfig({
    extends: ['recommended-strict'],
    rules: {
      'no-invalid-media-type-examples': 'error',
      'no-invalid-parameter-examples': 'error',
      'no-invalid-schema-examples': 'error',
      // Every answer is HTTP 200: callers treat any other status as a lost connection.
      'operation-4xx-response': 'off',
    },
  })
  const problems = await lint({ ref: publishedFile, config })
  expect(
    problems.map(
      ({ ruleId, message, location }) => `${ruleId}: ${message} ${location[0]?.pointer}`,
    ),
  ).toEqual([])
})

test('every request in its examples is accepted', () => {
  for (const order of examplesOf(place?.requestBody.content))
    expect(parseBody(PlaceOrderRequest, Buffer.from(JSON.stringify(order)))).toEqual(order)
  for (const inquiry of examplesOf(inquire?.requestBody.content))
    expect(parseBody(InquiryOrderRequest, Buffer.from(JSON.stringify(inquiry)))).toEqual(inquiry)
})

test('each of the 27 result codes has an example answer', () => {
  const answers = examplesOf(place?.responses['200'].content).map((value) =>
    PlaceOrderAnswer.parse(value),
  )
  expect(answers.map(({ result }) => result.resultCode)).toEqual(resultCodes)
})
