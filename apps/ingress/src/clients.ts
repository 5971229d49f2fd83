import type { KeyObject } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { ConfigFault, faultsOf, jsonOf, type ReadFile } from '@placeorder/config'
import { readPublicKey, UNKNOWN_CLIENT } from '@placeorder/protocol'
import { z } from 'zod'
import { inRanges, isSubnet } from './connection/addresses.ts'
import { keyIn } from './key-in.ts'

/** Answers carry it in a text we sign, before the first dot: it may hold neither a dot nor what JSON or HTTP is made of. */
const ClientId = z
  .string()
  .regex(/^[\w-]{1,64}$/, 'is 1 to 64 letters, digits, _ and -')
  .refine((id) => id !== UNKNOWN_CLIENT, 'is reserved for callers that are not known')

/** One who may call, as `clients.json` in this directory says. Its keys are read on the way. */
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
              keyIn(resolve(directory, file), read, readPublicKey).catch((error: unknown) => {
                context.addIssue(faultsOf(error).join('; '))
                return z.NEVER
              }),
            ),
        }),
      )
      .min(1)
      .superRefine(once('version'), whatever),
    addresses: z
      .array(z.string().refine(isSubnet, 'is an address or a range such as 10.0.0.0/8'))
      .optional(),
    ordersPerSecondMax: z.int().min(1).optional(),
  })
type ClientEntry = z.output<ReturnType<typeof clientEntry>>

/** `config/clients.json`. */
const clientsFile = (directory: string, read: ReadFile) =>
  z.strictObject({
    clients: z.array(clientEntry(directory, read)).min(1).superRefine(once('clientId'), whatever),
  })

/** For a look at a list that is taken whatever else is wrong with it, so that every fault is named. */
const whatever = { when: ({ value }: { value: unknown }) => Array.isArray(value) }

/** Tells of the entries of a list in which a field says what it says in another. */
function once<K extends string>(field: K) {
  return (list: ({ [F in K]?: string } | null)[], context: z.core.$RefinementCtx): void => {
    const before = new Set<string>()
    for (const [at, entry] of list.entries()) {
      const said = entry?.[field]
      if (said === undefined) continue
      if (before.has(said))
        context.addIssue({ code: 'custom', path: [at, field], message: `${said} is there twice` })
      before.add(said)
    }
  }
}

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
  const file = await clientsFile(dirname(path), read).safeParseAsync(jsonOf(text, path))
  if (!file.success) {
    throw new ConfigFault(
      file.error.issues.map((issue) => `${path}: ${issue.path.join('.')}: ${issue.message}`),
    )
  }
  return new Map(file.data.clients.map((entry) => [entry.clientId, clientOf(entry)]))
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
