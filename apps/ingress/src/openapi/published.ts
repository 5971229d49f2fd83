import { join } from 'node:path'
import { readEnvironment } from '@placeorder/config'
import { IngressEnvironment } from '../config.ts'
import { openApiDocument } from './document.ts'

/** The document, for readers who do not run an ingress. */
export const publishedFile = join(import.meta.dirname, '../../../../docs/openapi.json')

/** The document of an ingress with the default paths. */
export function published(): string {
  const { PLACE_ORDER_PATH, INQUIRY_ORDER_PATH } = readEnvironment(IngressEnvironment, {})
  const document = openApiDocument({
    placeOrder: PLACE_ORDER_PATH,
    inquireOrder: INQUIRY_ORDER_PATH,
  })
  return `${JSON.stringify(document, null, 2)}\n`
}
