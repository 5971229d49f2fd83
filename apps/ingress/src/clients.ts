import type { KeyObject } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { configFaults, parseJsonFile, type ReadFile } from '@placeorder/config'
import { readPublicKey, UNKNOWN_CLIENT } from '@placeorder/protocol'
import { z } from 'zod'
import { inRanges, isSubnet } from './connection/addresses.ts'
import { readKeyFile } from './read-key-file.ts'

/**
 * We sign a text that begins with it, up to the first dot: it may have no dot, and nothing of the
 * syntax of JSON or HTTP.
 */
const ClientId = z
  .string()
  .regex(/^[\w-]{1,64}$/, 'is 1 to 64 letters, digits, _ and -')
  .refine((id) => id !== UNKNOWN_CLIENT, 'is reserved for unknown callers')

/** An entry of `clients.json` in this directory. Its keys are read while it is parsed. */
const clientEntry = (directory: string, read: ReadFile) =>
  z.strictObject({
    clientId: ClientId,
    acquirerIds: z.array(z.string().min(1).max(64)).min(1),
    keys: z
      .array(
        z.strictObject({
          version: z.string().regex(/^\d{1,9}$/, 'is a whole number in a string'),
          publicKeyFile: z
            .string()
            .min(1)
            .transform((file, context) =>
              readKeyFile(resolve(directory, file), read, readPublicKey).catch((error: unknown) => {
                context.addIssue(configFaults(error).join('; '))
                return z.NEVER
              }),
            ),
        }),
      )
      .min(1)
      .superRefine(uniqueBy('version'), evenIfFaulty),
    addresses: z
      .array(z.string().refine(isSubnet, 'is an address or a range such as 10.0.0.0/8'))
      .optional(),
    ordersPerSecondMax: z.int().min(1).optional(),
  })
type ClientEntry = z.output<ReturnType<typeof clientEntry>>

/** `config/clients.json`. */
const clientsFile = (directory: string, read: ReadFile) =>
  z.strictObject({
    clients: z
      .array(clientEntry(directory, read))
      .min(1)
      .superRefine(uniqueBy('clientId'), evenIfFaulty),
  })

/**
 * Runs a refinement on a list even if other parts of it are faulty, so that every fault is named.
 */
const evenIfFaulty = { when: ({ value }: { value: unknown }) => Array.isArray(value) }

/** Reports the entries of a list whose `field` has the value of an earlier entry. */
function uniqueBy<K extends string>(field: K) {
  return (list: ({ [F in K]?: string } | null)[], context: z.core.$RefinementCtx): void => {
    const before = new Set<string>()
    for (const [at, entry] of list.entries()) {
      const value = entry?.[field]
      if (value === undefined) continue
      if (before.has(value))
        context.addIssue({ code: 'custom', path: [at, field], message: `${value} is used twice` })
      before.add(value)
    }
  }
}

/** A known caller. */
export type Client = {
  clientId: string
  acquirerIds: ReadonlySet<string>
  /** The key of a version; without a version, the newest one. */
  key: (version: string | undefined) => KeyObject | undefined
  /** Whether it may call from this address. */
  mayCallFrom: (address: string) => boolean
  ordersPerSecondMax: number | undefined
}
export type Clients = ReadonlyMap<string, Client>

/**
 * Reads `clients.json` and the keys it names; their paths are relative to it.
 *
 * @throws ConfigFault naming every fault
 */
export async function parseClients(
  text: string,
  path: string,
  read: ReadFile = readFile,
): Promise<Clients> {
  const { clients } = await parseJsonFile(clientsFile(dirname(path), read), text, path)
  return new Map(clients.map((entry) => [entry.clientId, clientOf(entry)]))
}

function clientOf(entry: ClientEntry): Client {
  const keys = new Map(entry.keys.map(({ version, publicKeyFile: key }) => [version, key]))
  const newest = [...keys.keys()].sort((a, b) => Number(b) - Number(a))[0]
  const allowed = entry.addresses === undefined ? () => true : inRanges(entry.addresses)
  return {
    clientId: entry.clientId,
    acquirerIds: new Set(entry.acquirerIds),
    key: (version = newest) => keys.get(version ?? ''),
    mayCallFrom: allowed,
    ordersPerSecondMax: entry.ordersPerSecondMax,
  }
}
