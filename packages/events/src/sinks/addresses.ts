import { BlockList, isIPv6 } from 'node:net'

/** Networks that nobody outside can be in, by what they are for. */
const closed: [family: 'ipv4' | 'ipv6', network: string, bits: number][] = [
  ['ipv4', '0.0.0.0', 8],
  ['ipv4', '10.0.0.0', 8],
  ['ipv4', '100.64.0.0', 10], // Carrier-grade NAT.
  ['ipv4', '127.0.0.0', 8],
  ['ipv4', '169.254.0.0', 16], // Link-local, and the metadata services of clouds.
  ['ipv4', '172.16.0.0', 12],
  ['ipv4', '192.0.0.0', 24],
  ['ipv4', '192.0.2.0', 24],
  ['ipv4', '192.88.99.0', 24],
  ['ipv4', '192.168.0.0', 16],
  ['ipv4', '198.18.0.0', 15],
  ['ipv4', '198.51.100.0', 24],
  ['ipv4', '203.0.113.0', 24],
  ['ipv4', '224.0.0.0', 4],
  ['ipv4', '240.0.0.0', 4],
]

/**
 * Of IPv6 only what is handed out to the public is open, without what carries an IPv4 address:
 * mapped and NAT64 addresses are outside of it, Teredo and 6to4 inside.
 */
const publicIPv6 = { network: '2000::', bits: 3 } as const
const closedIPv6: [network: string, bits: number][] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
]

const listOf = (networks: [family: 'ipv4' | 'ipv6', network: string, bits: number][]) => {
  const list = new BlockList()
  for (const [family, network, bits] of networks) list.addSubnet(network, bits, family)
  return list
}
const closedV4 = listOf(closed)
const closedV6 = listOf(closedIPv6.map(([network, bits]) => ['ipv6', network, bits]))
const openV6 = listOf([['ipv6', publicIPv6.network, publicIPv6.bits]])
const loopback = listOf([
  ['ipv4', '127.0.0.0', 8],
  ['ipv6', '::1', 128],
])

const familyOf = (address: string) => (isIPv6(address) ? 'ipv6' : 'ipv4')

/** Whether an address can be anybody's on the internet. */
export const isPublic = (address: string): boolean =>
  isIPv6(address)
    ? openV6.check(address, 'ipv6') && !closedV6.check(address, 'ipv6')
    : !closedV4.check(address, 'ipv4')

/** Whether an address is this machine's own. */
export const isLoopback = (address: string): boolean => loopback.check(address, familyOf(address))
