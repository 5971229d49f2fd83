import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Connection } from './redis.ts'

/** One Lua file of `lua/`: what must be atomic. Its contract stands on top of the file. */
export class Script {
  readonly #text: string
  readonly #sha: string

  constructor(name: string) {
    this.#text = readFileSync(new URL(`./lua/${name}.lua`, import.meta.url), 'utf8')
    this.#sha = createHash('sha1').update(this.#text).digest('hex')
  }

  /**
   * Runs it; a server that does not know it yet (it is new, or was restarted) is given the text. `onAgain` is told of that:
   * what was sent right after it has run before it.
   */
  async run(
    connection: Connection,
    keys: string[],
    args: (string | number | Buffer)[],
    onAgain: () => void = () => {},
  ): Promise<unknown> {
    try {
      return await connection.evalsha(this.#sha, keys.length, ...keys, ...args)
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
      onAgain()
      return await connection.eval(this.#text, keys.length, ...keys, ...args)
    }
  }
}
