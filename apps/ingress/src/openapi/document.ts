import {
  Address,
  Amount,
  answer,
  Env,
  formatTime,
  InquiryOrderAnswer,
  InquiryOrderRequest,
  inquiryAnswer,
  Merchant,
  messageOf,
  orderNotExist,
  PlaceOrderAnswer,
  PlaceOrderRequest,
  Quote,
  Result,
  type ResultCode,
  resultCodes,
  Store,
  statusOf,
} from '@placeorder/protocol'
import { z } from 'zod'
import { requestHeaders, responseHeaders, security } from './headers.ts'

export type Paths = { placeOrder: string; inquireOrder: string }

/** The names by which the document's schemas refer to each other. */
const schemas = {
  PlaceOrderRequest,
  PlaceOrderAnswer,
  InquiryOrderRequest,
  InquiryOrderAnswer,
  Result,
  Amount,
  Quote,
  Merchant,
  Store,
  Address,
  Env,
}

/**
 * An order that the sample directory lets pass: what `npm start` places, without optional fields.
 */
const order: PlaceOrderRequest = {
  acquirerId: '1020000000000000001',
  pspId: '1020000000000000001',
  codeValue: '281004132828992222233',
  paymentId: '2010000000000000000000000007771',
  customerId: '210282121122',
  paymentAmount: { value: '100', currency: 'CNY' },
  settlementAmount: { value: '100', currency: 'CNY' },
  merchant: {
    referenceMerchantId: 'M00000000001',
    merchantName: 'UGG',
    merchantMCC: '5411',
    merchantAddress: { region: 'JP', city: 'Tokyo' },
    store: { referenceStoreId: 'S00000000001', storeName: 'UGG-2', storeMCC: '5411' },
  },
  env: { terminalType: 'APP', osType: 'ANDROID' },
}
const exchanged: PlaceOrderRequest = {
  ...order,
  paymentId: '2010000000000000000000000007772',
  settlementAmount: { value: '14', currency: 'USD' },
  settlementQuote: { quoteId: 'Q-1', quoteCurrencyPair: 'USD/CNY', quotePrice: '7.1' },
}
const { acquirerId, pspId, paymentId } = order
const paymentRequestId = '0196f0a0-5a4e-7c1e-9d5e-5a7c3b1f2d10'
const claimedAt = Date.parse('2026-03-01T08:00:00.120Z')

/** The answer to an inquiry about the order, for the examples. */
const stateOf = (outcome: ResultCode | undefined) =>
  inquiryAnswer({
    paymentId,
    paymentRequestId,
    order,
    claimedAt,
    outcome,
    concludedAt: outcome === undefined ? undefined : claimedAt + 30,
  })

type Example = { summary: string; value: unknown }

/** One answer for each of the 27 codes. */
const placeAnswers: Record<string, Example> = Object.fromEntries(
  resultCodes.map((code) => [
    code,
    { summary: `${statusOf[code]}: ${messageOf[code]}`, value: answer(code, paymentRequestId) },
  ]),
)

const inquiryAnswers: Record<string, Example> = {
  placed: { summary: 'the order is placed', value: stateOf('SUCCESS') },
  notPlaced: { summary: 'the order is not placed', value: stateOf('EXPIRED_CODE') },
  open: {
    summary: `the order is not decided yet, at ${formatTime(claimedAt)}`,
    value: stateOf(undefined),
  },
  unknown: { summary: 'this client has no such order', value: orderNotExist },
}

/** The API of this ingress as OpenAPI 3.1, generated from the schemas it parses with. */
export function openApiDocument(paths: Paths) {
  return {
    openapi: '3.1.1',
    info: {
      title: 'placeorder: the acquirer’s side of Alipay+ placeOrder',
      version: '1.0.0',
      license: { name: 'MIT', identifier: 'MIT' },
      description: overview,
    },
    servers: [{ url: '/', description: 'the ingress, or the load balancer before it' }],
    security: [{ [security.name]: [] }],
    paths: {
      [paths.placeOrder]: {
        post: operation('placeOrder', placeOrder, 'PlaceOrder', {
          requests: {
            sameCurrency: { summary: 'settled in the currency of the payment', value: order },
            exchanged: { summary: 'settled in another currency', value: exchanged },
          },
          answers: placeAnswers,
        }),
      },
      [paths.inquireOrder]: {
        post: operation('inquiryOrder', inquiryOrder, 'InquiryOrder', {
          requests: {
            anOrder: { summary: 'the order above', value: { acquirerId, pspId, paymentId } },
          },
          answers: inquiryAnswers,
        }),
      },
    },
    components: {
      securitySchemes: { [security.name]: security.scheme },
      schemas: jsonSchemas(),
    },
  }
}

const overview = [
  'Every answer is HTTP 200 with a signed JSON body. `result.resultStatus` is S (placed), F (not',
  'placed) or U (not known yet: repeat the same request, or inquire). A request with the same',
  'paymentId is the same order.',
].join(' ')

const placeOrder = {
  summary: 'Place a payment order',
  description: [
    'Accepts the order once, waits a bounded time for its outcome, and answers. Unknown fields are',
    'ignored; absent and null are the same; an empty string is PARAM_ILLEGAL. settlementQuote is',
    'required when the currencies differ.',
  ].join(' '),
}
const inquiryOrder = {
  summary: 'Get the state of a payment order',
  description:
    '`result` is that of the inquiry, `orderResult` that of the order. Never waits for an outcome.',
}

function operation(
  operationId: string,
  words: { summary: string; description: string },
  schema: 'PlaceOrder' | 'InquiryOrder',
  examples: { requests: Record<string, Example>; answers: Record<string, Example> },
) {
  const content = (name: string, shown: Record<string, Example>) => ({
    'application/json': { schema: { $ref: `#/components/schemas/${name}` }, examples: shown },
  })
  return {
    operationId,
    ...words,
    parameters: requestHeaders,
    requestBody: { required: true, content: content(`${schema}Request`, examples.requests) },
    responses: {
      '200': {
        description: 'Every answer, whatever its result',
        headers: responseHeaders,
        content: content(`${schema}Answer`, examples.answers),
      },
    },
  }
}

/** The schemas as JSON Schema, referring to each other by name; for requests, what may be sent. */
function jsonSchemas(): Record<string, unknown> {
  const registry = z.registry<{ id: string }>()
  for (const [id, schema] of Object.entries(schemas)) registry.add(schema, { id })
  const made = z.toJSONSchema(registry, { io: 'input', uri: (id) => `#/components/schemas/${id}` })
  return Object.fromEntries(
    Object.entries(made.schemas).map(([id, { $schema: _, $id: __, ...schema }]) => [id, schema]),
  )
}
