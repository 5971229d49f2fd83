import { generateKeyPair } from 'node:crypto'
import { access, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Command, exitCode, UsageError } from '../cli/command.ts'
import { asksForHelp, printHelp, readArgs } from '../cli/options.ts'

/** PROTOCOL.md: 2048 bits or more. */
const KEY_BITS = 2048

const options = {
  out: { type: 'string', value: '<dir>', default: '.data/keys', help: 'folder for the pair' },
  name: {
    type: 'string',
    value: '<name>',
    default: 'alipay-1',
    help: 'creates <name>.pem and <name>.pub.pem',
  },
  force: { type: 'boolean', help: 'replace an existing pair' },
  json: { type: 'boolean', help: 'print the paths as JSON' },
} as const

export const command: Command = {
  name: 'keys',
  summary: 'Creates the key pair of a caller.',
  async run(args, terminal) {
    if (asksForHelp(args)) {
      printHelp(this, { options }, terminal)
      return exitCode.ok
    }
    const { values } = readArgs(args, options)
    const { out, name, force = false, json = false } = values
    if (!/^[\w.-]+$/.test(name))
      throw new UsageError(`--name ${name}: letters, digits, dots and dashes only`)
    const pair = await makeKeyPair(out, name, force)
    if (json) terminal.print(JSON.stringify(pair))
    else {
      const created = terminal.paint('green', 'created')
      terminal.print(`${created}  ${pair.privateKeyFile}  signs; keep it secret`)
      terminal.print(`${created}  ${pair.publicKeyFile}  verifies; give it to the acquirer`)
    }
    return exitCode.ok
  },
}

/**
 * Creates an RSA pair in `dir`, both in PEM; only the owner can read the private key.
 *
 * @throws UsageError when a file of the pair exists without `force`, or `dir` cannot be written
 */
export async function makeKeyPair(dir: string, name: string, force: boolean) {
  const pair = {
    privateKeyFile: join(dir, `${name}.pem`),
    publicKeyFile: join(dir, `${name}.pub.pem`),
  }
  for (const path of force ? [] : Object.values(pair)) {
    if (await exists(path)) throw new UsageError(`${path} exists already; --force replaces it`)
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

/**
 * Writes a new file and renames it: nobody reads half a key, and an old file's mode is not kept.
 */
async function put(path: string, pem: string, mode: number): Promise<void> {
  await rm(`${path}.new`, { force: true })
  await writeFile(`${path}.new`, pem, { mode, flag: 'wx' })
  await rename(`${path}.new`, path)
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )
