import assert from 'node:assert/strict'

/** Every result code of placeOrder.txt, with its status: S placed, F not placed, U unknown. */
export const statusOf = {
  SUCCESS: 'S',
  ACCESS_DENIED: 'F',
  BUSINESS_NOT_SUPPORT: 'F',
  CURRENCY_NOT_SUPPORT: 'F',
  EXPIRED_CODE: 'F',
  INVALID_CLIENT: 'F',
  INVALID_CODE: 'F',
  INVALID_CONTRACT: 'F',
  INVALID_MERCHANT_STATUS: 'F',
  INVALID_SIGNATURE: 'F',
  KEY_NOT_FOUND: 'F',
  MEDIA_TYPE_NOT_ACCEPTABLE: 'F',
  MERCHANT_KYB_NOT_QUALIFIED: 'F',
  MERCHANT_NOT_REGISTERED: 'F',
  METHOD_NOT_SUPPORTED: 'F',
  NO_INTERFACE_DEF: 'F',
  ORDER_IS_CLOSED: 'F',
  PARAM_ILLEGAL: 'F',
  PAYMENT_AMOUNT_EXCEED_LIMIT: 'F',
  PAYMENT_AMOUNT_INVALID: 'F',
  PAYMENT_COUNT_EXCEED_LIMIT: 'F',
  PROCESS_FAIL: 'F',
  REPEAT_REQ_INCONSISTENT: 'F',
  RISK_REJECT: 'F',
  PAYMENT_IN_PROCESS: 'U',
  REQUEST_TRAFFIC_EXCEED_LIMIT: 'U',
  UNKNOWN_EXCEPTION: 'U',
} as const

export type ResultCode = keyof typeof statusOf
export type ResultStatus = (typeof statusOf)[ResultCode]
type CodeWith<S extends ResultStatus> = {
  [C in ResultCode]: (typeof statusOf)[C] extends S ? C : never
}[ResultCode]

/** A code that never changes again: what an order is concluded with. */
export type FinalCode = CodeWith<'S' | 'F'>

/** A code that is not final: the caller repeats or inquires. */
export type PendingCode = CodeWith<'U'>

/** All 27, in the order of placeOrder.txt. */
export const resultCodes = Object.keys(statusOf) as readonly ResultCode[]

/** The message of each code, as in placeOrder.txt. */
export const messageOf: Readonly<Record<ResultCode, string>> = {
  SUCCESS: 'Success',
  ACCESS_DENIED: 'Access is denied.',
  BUSINESS_NOT_SUPPORT: 'The payment business is not supported.',
  CURRENCY_NOT_SUPPORT: 'The currency is not supported.',
  EXPIRED_CODE: 'The code is expired.',
  INVALID_CLIENT: 'The client is invalid.',
  INVALID_CODE: 'The code is invalid.',
  INVALID_CONTRACT: 'The contract is invalid.',
  INVALID_MERCHANT_STATUS:
    'The merchant status is abnormal due to restrictions, for example, ' +
    "the merchant's operation has been suspended.",
  INVALID_SIGNATURE: 'The signature is invalid.',
  KEY_NOT_FOUND: 'The key is not found.',
  MEDIA_TYPE_NOT_ACCEPTABLE:
    'The server does not implement the media type that is acceptable to the client.',
  MERCHANT_KYB_NOT_QUALIFIED: "The merchant's KYB failed or KYB level is not high enough.",
  MERCHANT_NOT_REGISTERED: 'The merchant is not registered.',
  METHOD_NOT_SUPPORTED: 'The server does not implement the requested HTTPS method.',
  NO_INTERFACE_DEF: 'API is not defined.',
  ORDER_IS_CLOSED: 'The order is closed.',
  PARAM_ILLEGAL: 'Illegal parameters. For example, non-numeric input, invalid date.',
  PAYMENT_AMOUNT_EXCEED_LIMIT:
    'The payment amount exceeds the limit that is specified by the ACQP.',
  PAYMENT_AMOUNT_INVALID: 'Payment amount is invalid.',
  PAYMENT_COUNT_EXCEED_LIMIT: 'The number of payments exceeds the limit.',
  PROCESS_FAIL: 'A general business failure occurred. Do not retry.',
  REPEAT_REQ_INCONSISTENT: 'Repeated requests are inconsistent.',
  RISK_REJECT: 'The request is rejected because of the risk control.',
  PAYMENT_IN_PROCESS: 'The payment is being processed.',
  REQUEST_TRAFFIC_EXCEED_LIMIT: 'The request traffic exceeds the limit.',
  UNKNOWN_EXCEPTION: 'An API call failed, which is caused by unknown reasons.',
}

export const isFinal = (code: ResultCode): code is FinalCode => statusOf[code] !== 'U'

/** Reads a stored final code; anything else in its place is our bug. */
export function finalCode(text: string): FinalCode {
  assert(isResultCode(text), `${text} is not a result code`)
  assert(isFinal(text), `${text} is not final`)
  return text
}

/** The text as a final code; undefined if this version does not know it. */
export const finalCodeIn = (text: string): FinalCode | undefined =>
  isResultCode(text) && isFinal(text) ? text : undefined

export const isResultCode = (text: string): text is ResultCode => Object.hasOwn(statusOf, text)
