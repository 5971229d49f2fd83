import { BlockList, isIP } from 'node:net'

/** Named ranges (RFC 1122, 3927, 1918, 4193, 4291). */
const named: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.0/8', '::1'],
  linklocal: ['169.254.0.0/16', 'fe80::/10'],
  uniquelocal: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
}
export const rangeNames = Object.keys(named)

/** Whether a text is an address, or a range such as 10.0.0.0/8. */
export function isSubnet(text: string): boolean {
  const [address = '', prefix, ...more] = text.split('/')
  const bits = isIP(address) === 4 ? 32 : 128
  if (isIP(address) === 0 || more.length > 0) return false
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= bits)
}

/**
 * Returns a test of whether an address is in one of these ranges; an IPv4 address may be in its
 * IPv6 form (`::ffff:127.0.0.1`).
 */
export function inRanges(ranges: readonly string[]): (address: string) => boolean {
  const list = new BlockList()
  for (const range of ranges.flatMap((name) => named[name] ?? [name])) {
    const [address = '', prefix] = range.split('/')
    const family = isIP(address) === 4 ? 'ipv4' : 'ipv6'
    list.addSubnet(address, Number(prefix ?? (family === 'ipv4' ? 32 : 128)), family)
  }
  return (address) =>
    isIP(address) !== 0 && list.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6')
}

/**
 * The address in an entry of X-Forwarded-For, as proxies write it: alone, with a port
 * (`203.0.113.7:51234`, `[2001:db8::5]:51234`), in double quotes, or with a zone (`fe80::1%eth0`).
 * What is not an address (`unknown`) is returned unchanged.
 */
export function addressIn(entry: string): string {
  const [, text = ''] = /^\s*"?(.*?)"?\s*$/s.exec(entry) ?? []
  const [, bracketed] = /^\[(.*)\](?::\d{1,5})?$/s.exec(text) ?? []
  const withoutPort = bracketed ?? (isIP(text) === 0 ? text.replace(/:\d{1,5}$/, '') : text)
  const plain = withoutPort.replace(/%.*$/s, '')
  return isIP(plain) === 0 ? entry : plain
}
