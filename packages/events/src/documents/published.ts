import { join } from 'node:path'
import { asyncApiDocument, eventSchema } from './asyncapi.ts'

const docs = join(import.meta.dirname, '../../../../docs')

const textOf = (document: unknown): string => `${JSON.stringify(document, null, 2)}\n`

/** The documents, for whoever receives events. */
export const published = [
  { file: join(docs, 'asyncapi.json'), text: () => textOf(asyncApiDocument()) },
  { file: join(docs, 'event.schema.json'), text: () => textOf(eventSchema()) },
]
