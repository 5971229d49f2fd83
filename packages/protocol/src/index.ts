export { Amount, CurrencyCode, isMoreThan, smallestUnits } from './amount.ts'
export { checkMedia } from './content-type.ts'
export {
  InquiryOrderAnswer,
  InquiryOrderRequest,
  inquiryAnswer,
  type OrderState,
  orderNotExist,
} from './inquiry-order.ts'
export {
  KeyFault,
  readAnyPrivateKey,
  readCertificates,
  readPrivateKey,
  readPublicKey,
} from './keys.ts'
export { parseBody } from './parse-body.ts'
export { Address, Env, Merchant, Store } from './parties.ts'
export {
  amountsIn,
  answer,
  PassThroughInfo,
  PlaceOrderAnswer,
  PlaceOrderRequest,
  Result,
  resultOf,
  termsOf,
} from './place-order.ts'
export { isPublished } from './published-keys.ts'
export { Quote } from './quote.ts'
export { Refusal } from './refusal.ts'
export { PackedByNewerVersion, packRequest, unpackRequest } from './request-codec.ts'
export {
  type FinalCode,
  finalCode,
  finalCodeIn,
  isFinal,
  isResultCode,
  messageOf,
  type PendingCode,
  type ResultCode,
  type ResultStatus,
  resultCodes,
  statusOf,
} from './result-code.ts'
export {
  answeredTarget,
  formatSignatureHeader,
  parseSignatureHeader,
  type SignatureHeader,
  sign,
  signedText,
  UNKNOWN_CLIENT,
  verify,
} from './signature.ts'
export { formatTime, parseRequestTime } from './time.ts'
