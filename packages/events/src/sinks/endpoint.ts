import { type LookupAddress, lookup } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { isLoopback, isPublic } from './addresses.ts'

/** Resolves a name to its addresses. */
export type Resolve = (hostname: string) => Promise<LookupAddress[]>

/** The host of a URL; an IPv6 address without its brackets. */
const hostOf = (url: URL): string => url.hostname.replace(/^\[(.*)\]$/, '$1')

const isLoopbackHost = (host: string): boolean =>
  host === 'localhost' || (isIP(host) !== 0 && isLoopback(host))

/** Whether a sink with this URL may be connected to this address. */
const mayConnect = (url: URL, allowPrivate: boolean, address: string): boolean => {
  if (url.protocol === 'http:') return isLoopback(address)
  return allowPrivate || isPublic(address) || (isLoopbackHost(hostOf(url)) && isLoopback(address))
}

const refused = (host: string, address: string): string =>
  `${host} ${host === address ? 'is' : 'resolves to'} an address that is not public: ` +
  'write "allowPrivate": true if it is meant'

/** What is wrong with the URL of a webhook; undefined if nothing is. */
export function urlFault(text: string, allowPrivate: boolean): string | undefined {
  const url = URL.parse(text)
  if (url === null) return 'is not a URL'
  const host = hostOf(url)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopbackHost(host)))
    return 'is not https:// (http:// goes to loopback alone)'
  if (url.username !== '' || url.password !== '')
    return 'has a user or a password: receivers verify the signature'
  if (isIP(host) !== 0 && !mayConnect(url, allowPrivate, host)) return refused(host, host)
  return undefined
}

/**
 * Resolves the name of an endpoint for the connection that is about to be made, and rejects unless
 * each of its addresses may be connected to. The connection goes to what this returns: a name that
 * resolves to something else a moment later changes nothing.
 *
 * Lookups that come while one is on its way share it: each takes a thread, and one name server that
 * does not answer must not take them all.
 */
export function checkedLookup(
  text: string,
  allowPrivate: boolean,
  resolve: Resolve = lookUp,
): LookupFunction {
  const url = new URL(text)
  let looking: Promise<LookupAddress[]> | undefined
  return (hostname, options, done) => {
    looking ??= resolve(hostname).finally(() => {
      looking = undefined
    })
    looking.then(
      (addresses) => {
        const bad = addresses.find(({ address }) => !mayConnect(url, allowPrivate, address))
        const [first] = addresses
        if (bad !== undefined) done(new Error(refused(hostname, bad.address)), '', 0)
        else if (first === undefined) done(new Error(`${hostname} has no address`), '', 0)
        else if (options.all === true) done(null, addresses)
        else done(null, first.address, first.family)
      },
      (error: Error) => done(error, '', 0),
    )
  }
}

const lookUp: Resolve = (hostname) =>
  new Promise((resolve, reject) => {
    lookup(hostname, { all: true }, (error, addresses) =>
      error === null ? resolve(addresses) : reject(error),
    )
  })
