import { createHash } from 'node:crypto'
import { pathToFileURL } from 'node:url'
import type { ReadFile } from '@placeorder/config'
import { readAnswer } from './answer.ts'
import type { Ask } from './guard.ts'

/**
 * Loads a check from a TypeScript or JavaScript module: its default export is `(facts, signal)` to
 * a code, or to the object that a check answers over HTTP. Loading it again gives the file's newest
 * version.
 *
 * @throws whatever keeps it from being loaded
 */
export async function askModule(path: string, read: ReadFile): Promise<Ask> {
  const url = pathToFileURL(path)
  const content = createHash('sha256').update(await read(path))
  url.searchParams.set('version', content.digest('hex'))
  const { default: ask }: { default?: unknown } = await import(url.href)
  if (typeof ask !== 'function') throw new Error('its default export is not a function')
  return async (facts, signal) => {
    const answer: unknown = await ask(facts, signal)
    return readAnswer(typeof answer === 'string' ? { resultCode: answer } : answer)
  }
}
