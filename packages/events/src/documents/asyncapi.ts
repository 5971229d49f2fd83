import type { FinalCode } from '@placeorder/protocol'
import { z } from 'zod'
import { EventData, eventOf, OrderEvent, testEvent } from '../event.ts'
import { WEBHOOK_BATCH_MAX } from '../sinks-file.ts'

/** An event as JSON Schema, for whoever parses it. */
export const eventSchema = () => ({
  ...z.toJSONSchema(OrderEvent, { io: 'input' }),
  title: 'The outcome of an order, a CloudEvent 1.0 in JSON',
})

const exampleOf = (code: FinalCode) =>
  eventOf({
    acquirerId: '1020000000000000001',
    paymentId: '2010000000000000000000000007771',
    paymentRequestId: '0196f0a0-5a4e-7c1e-9d5e-5a7c3b1f2d10',
    pspId: '1020000000000000001',
    code,
    paymentAmount: { value: '100', currency: 'CNY' },
    settlementAmount: { value: '100', currency: 'CNY' },
    referenceMerchantId: 'M00000000001',
    referenceStoreId: 'S00000000001',
    claimedAt: Date.parse('2026-03-01T08:00:00.120Z'),
    concludedAt: Date.parse('2026-03-01T08:00:00.150Z'),
  })

/** The messages, each with its example. */
const messages: Record<string, { summary: string; example: OrderEvent }> = {
  orderPlaced: { summary: 'An order is placed', example: exampleOf('SUCCESS') },
  orderRefused: { summary: 'An order is not placed', example: exampleOf('EXPIRED_CODE') },
  orderAbandoned: {
    summary: 'An order could not be decided in time',
    example: exampleOf('PROCESS_FAIL'),
  },
  sinkTested: {
    summary: 'A test of the sink: there is no such order',
    example: testEvent('example', Date.parse('2026-03-01T08:00:00.150Z')),
  },
}

const text = { type: 'string' } as const
const headers = {
  type: 'object',
  required: ['webhook-id', 'webhook-timestamp', 'webhook-signature'],
  properties: {
    'webhook-id': { ...text, description: 'The id of the event, or of a batch' },
    'webhook-timestamp': { ...text, description: 'Seconds since 1970, of this attempt' },
    'webhook-signature': {
      ...text,
      description:
        '`v1,` and the base64 of an HMAC with SHA-256 over ' +
        '`<webhook-id>.<webhook-timestamp>.<body>`; several are separated by spaces while a ' +
        'secret is rotated',
    },
  },
}

/** What sinks receive, as AsyncAPI 3. */
export function asyncApiDocument() {
  const names = [...Object.keys(messages), 'batch']
  const channel = '#/channels/outcomes'
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'placeorder: the outcome of every order',
      version: '1.0.0',
      license: { name: 'MIT' },
      description:
        'Each outcome is delivered at least once to each sink, in no particular order. The id of ' +
        'an event never changes: whoever remembers the ids they have seen handles each once.',
    },
    defaultContentType: 'application/cloudevents+json',
    channels: {
      outcomes: {
        address: null,
        description: 'The URL, stream or module of a sink in config/events.json',
        messages: Object.fromEntries(
          names.map((name) => [name, { $ref: `#/components/messages/${name}` }]),
        ),
      },
    },
    operations: {
      sendOutcomes: {
        action: 'send',
        channel: { $ref: channel },
        summary: 'Sends the outcome of every order, signed as Standard Webhooks 1.0 to webhooks',
        messages: names.map((name) => ({ $ref: `${channel}/messages/${name}` })),
      },
    },
    components: { messages: { ...messageObjects(), batch: batchMessage() }, schemas: schemas() },
  }
}

function messageObjects(): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(messages).map(([name, { summary, example: payload }]) => {
      return [
        name,
        {
          name: payload.type,
          title: payload.type,
          summary,
          headers,
          payload: {
            allOf: [
              { $ref: '#/components/schemas/OrderEvent' },
              { properties: { type: { const: payload.type } } },
            ],
          },
          examples: [{ name: payload.data.result.resultCode, payload }],
        },
      ]
    }),
  )
}

/** Several events in one request, of any types. */
const batchMessage = () => ({
  name: 'batch',
  title: 'Several events',
  summary:
    'The events of one request to a webhook whose `batch` is above 1, even if there is only one',
  contentType: 'application/cloudevents-batch+json',
  headers,
  payload: {
    type: 'array',
    minItems: 1,
    maxItems: WEBHOOK_BATCH_MAX,
    items: { $ref: '#/components/schemas/OrderEvent' },
  },
  examples: [{ name: 'two', payload: [exampleOf('SUCCESS'), exampleOf('EXPIRED_CODE')] }],
})

/** The schemas, referring to each other by name. */
function schemas(): Record<string, unknown> {
  const registry = z.registry<{ id: string }>()
  registry.add(OrderEvent, { id: 'OrderEvent' })
  registry.add(EventData, { id: 'EventData' })
  const made = z.toJSONSchema(registry, { io: 'input', uri: (id) => `#/components/schemas/${id}` })
  return Object.fromEntries(
    Object.entries(made.schemas).map(([id, { $schema: _, $id: __, ...schema }]) => [id, schema]),
  )
}
