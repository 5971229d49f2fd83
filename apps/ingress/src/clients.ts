import { createPublicKey, type KeyObject } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { BlockList, isIP } from 'node:net'
import { dirname, resolve } from 'node:path'
import { ConfigFault } from '@placeorder/config'
import { z } from 'zod'

/** One who may call, as `clients.json` says. */
const ClientEntry = z.strictObject({
  clientId: z.string().min(1).max(128),
  acquirerIds: z.array(z.string().min(1).max(64)).min(1),
  keys: z
    .array(
      z.strictObject({
        version: z.string().regex(/^\d{1,9}$/, 'is a whole number in a string'),
        publicKeyFile: z.string().min(1),
      }),
    )
    .min(1),
  addresses: z.array(z.string().refine(isSubnet, 'is an address or a range such as 10.0.0.0/8')).optional(),
  ordersPerSecondMax: z.int().min(1).optional(),
})

/** `config/clients.json`. */
export const ClientsFile = z.strictObject({ clients: z.array(ClientEntry).min(1) })

/** A caller that is known. */
export type Client = {
  clientId: string
  acquirerIds: ReadonlySet<string>
  /** The key of a version; without a version the newest. */
  key: (version: string | undefined) => KeyObject | undefined
  /** Whether it may call from this address. */
  mayCallFrom: (address: string) => boolean
  ordersPerSecondMax: number | undefined
}
export type Clients = ReadonlyMap<string, Client>

/** RSA keys below this many bits are refused: PROTOCOL.md asks for 2048 or more. */
const KEY_BITS_MIN = 2048

/**
 * Reads `clients.json` and the keys it names; their paths are relative to it.
 *
 * @throws ConfigFault naming every fault
 */
export async function parseClients(text: string, path: string): Promise<Clients> {
  const file = ClientsFile.safeParse(jsonOf(text, path))
  if (!file.success) {
    throw new ConfigFault(
      file.error.issues.map((issue) => `${path}: ${issue.path.join('.')}: ${issue.message}`),
    )
  }
  const faults: string[] = []
  const clients = new Map<string, Client>()
  for (const entry of file.data.clients) {
    const keys = new Map<string, KeyObject>()
    for (const { version, publicKeyFile } of entry.keys) {
      const key = await readPublicKey(resolve(dirname(path), publicKeyFile)).catch((error: Error) => error)
      if (key instanceof Error) faults.push(`${path}: ${entry.clientId}: key ${version}: ${key.message}`)
      else if (keys.has(version))
        faults.push(`${path}: ${entry.clientId}: key version ${version} is there twice`)
      else keys.set(version, key)
    }
    if (clients.has(entry.clientId)) faults.push(`${path}: ${entry.clientId} is there twice`)
    clients.set(entry.clientId, clientOf(entry, keys))
  }
  if (faults.length > 0) throw new ConfigFault(faults)
  return clients
}

function clientOf(entry: z.output<typeof ClientEntry>, keys: Map<string, KeyObject>): Client {
  const newest = [...keys.keys()].sort((a, b) => Number(b) - Number(a))[0]
  const allowed = entry.addresses === undefined ? undefined : blockListOf(entry.addresses)
  return {
    clientId: entry.clientId,
    acquirerIds: new Set(entry.acquirerIds),
    key: (version = newest) => keys.get(version ?? ''),
    mayCallFrom: (address) => allowed === undefined || isIn(allowed, address),
    ordersPerSecondMax: entry.ordersPerSecondMax,
  }
}

async function readPublicKey(path: string): Promise<KeyObject> {
  const key = createPublicKey(await readFile(path))
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
  if (key.asymmetricKeyType !== 'rsa')
    throw new Error(`${path} is no RSA key: signatures are RSA with SHA-256`)
  if (bits < KEY_BITS_MIN) throw new Error(`${path} has ${bits} bits: ${KEY_BITS_MIN} or more are needed`)
  return key
}

function jsonOf(text: string, path: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new ConfigFault([`${path}: is not JSON: ${cause instanceof Error ? cause.message : cause}`])
  }
}

/** Whether a text is an address, or a range such as 10.0.0.0/8. */
export function isSubnet(text: string): boolean {
  const [address = '', prefix, ...more] = text.split('/')
  const bits = isIP(address) === 4 ? 32 : 128
  if (isIP(address) === 0 || more.length > 0) return false
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= bits)
}

function blockListOf(subnets: string[]): BlockList {
  const list = new BlockList()
  for (const subnet of subnets) {
    const [address = '', prefix] = subnet.split('/')
    const family = isIP(address) === 4 ? 'ipv4' : 'ipv6'
    list.addSubnet(address, Number(prefix ?? (family === 'ipv4' ? 32 : 128)), family)
  }
  return list
}

/** An IPv4 address may come in its IPv6 form (`::ffff:127.0.0.1`) when the server listens on both. */
function isIn(list: BlockList, address: string): boolean {
  const plain = address.startsWith('::ffff:') ? address.slice(7) : address
  return isIP(plain) !== 0 && list.check(plain, isIP(plain) === 4 ? 'ipv4' : 'ipv6')
}
