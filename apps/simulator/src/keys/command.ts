import { generateKeyPair } from 'node:crypto'
import { access, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Command, exit, UsageError } from '../cli/command.ts'
import { asksForHelp, printHelp, readArgs } from '../cli/options.ts'

/** PROTOCOL.md: 2048 bits or more. */
const KEY_BITS = 2048

const options = {
  out: { type: 'string', value: '<dir>', default: '.data/keys', help: 'where the pair goes' },
  name: {
    type: 'string',
    value: '<name>',
    default: 'alipay-1',
    help: 'makes <name>.pem and <name>.pub.pem',
  },
  force: { type: 'boolean', help: 'replace a pair that is there' },
  json: { type: 'boolean', help: 'print the paths as JSON' },
} as const

export const command: Command = {
  name: 'keys',
  summary: 'Makes the key pair of a caller.',
  async run(args, terminal) {
    if (asksForHelp(args)) {
      printHelp(this, { options }, terminal)
      return exit.good
    }
    const { values } = readArgs(args, options)
    const { out, name, force = false, json = false } = values
    if (!/^[\w.-]+$/.test(name))
      throw new UsageError(`--name ${name}: letters, digits, dots and dashes only`)
    const pair = await makeKeyPair(out, name, force)
    if (json) terminal.print(JSON.stringify(pair))
    else {
      terminal.print(
        `${terminal.paint('green', 'made')}  ${pair.privateKeyFile}  signs; keep it secret`,
      )
      terminal.print(
        `${terminal.paint('green', 'made')}  ${pair.publicKeyFile}  verifies; give it to the acquirer`,
      )
    }
    return exit.good
  },
}

/**
 * Makes an RSA pair in `dir`: the private key readable for its owner only, both in PEM.
 *
 * @throws UsageError when a file of the pair is there and `force` is not given, or the folder cannot be written
 */
export async function makeKeyPair(dir: string, name: string, force: boolean) {
  const pair = {
    privateKeyFile: join(dir, `${name}.pem`),
    publicKeyFile: join(dir, `${name}.pub.pem`),
  }
  for (const path of force ? [] : Object.values(pair)) {
    if (await isThere(path)) throw new UsageError(`${path} is there already; --force replaces it`)
  }
  const { privateKey, publicKey } = await promisify(generateKeyPair)('rsa', {
    modulusLength: KEY_BITS,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  try {
    await mkdir(dir, { recursive: true })
    await put(pair.privateKeyFile, privateKey, 0o600)
    await put(pair.publicKeyFile, publicKey, 0o644)
  } catch (cause) {
    throw new UsageError(`--out ${dir}: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    })
  }
  return pair
}

/** Writes beside and renames: a reader never sees half a key, and a file that was there does not lend its mode. */
async function put(path: string, pem: string, mode: number): Promise<void> {
  await rm(`${path}.new`, { force: true })
  await writeFile(`${path}.new`, pem, { mode, flag: 'wx' })
  await rename(`${path}.new`, path)
}

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )
