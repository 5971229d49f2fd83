import type { ResultCode } from './result-code.ts'

/** Refuses a request before it becomes an order. The only error the ingress throws on purpose. */
export class Refusal extends Error {
  readonly code: ResultCode

  constructor(code: ResultCode, reason: string, options?: ErrorOptions) {
    super(reason, options)
    this.name = 'Refusal'
    this.code = code
  }
}
