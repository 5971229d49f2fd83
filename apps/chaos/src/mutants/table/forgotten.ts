import type { Mutant } from '../mutant.ts'

const claim = 'packages/store/src/lua/claim.lua'
const lookUps = 'apps/ingress/src/archive-look-ups.ts'
const forgottenTest: Mutant['test'] = ['packages/store', 'src/intake/forgotten.test.ts']
const filtersTest: Mutant['test'] = ['packages/store', 'src/outbox/filters.test.ts']
const lookUpsTest: Mutant['test'] = ['apps/ingress', 'src/archive-look-ups.test.ts']
const recallTest: Mutant['test'] = ['apps/ingress', 'src/recall.test.ts']

/** Claims and inquiries of orders that Redis has forgotten. */
export const forgotten: Mutant[] = [
  {
    breaks: 'a claim goes by an older list of filters',
    file: claim,
    from: "if (archive[3] or '0') ~= ARGV[6] then return 'STALE' end",
    to: '',
    test: forgottenTest,
  },
  {
    breaks: 'an inquiry goes by an older list of filters',
    file: 'packages/store/src/lua/find-order.lua',
    from: "if (archive[3] or '0') ~= ARGV[1] then return 'STALE' end",
    to: '',
    test: forgottenTest,
  },
  {
    breaks: 'an order is claimed that may have been forgotten',
    file: claim,
    from: 'if isNew and maybe[n] then',
    to: 'if false then',
    test: forgottenTest,
  },
  {
    breaks: 'an order is claimed however long ago it was looked up',
    file: claim,
    from: 'or now - notFoundAt > tonumber(ARGV[9])',
    to: '',
    test: forgottenTest,
  },
  {
    breaks: 'an order is claimed that was looked up at a later time',
    file: claim,
    from: 'now - notFoundAt < 0 or ',
    to: '',
    test: forgottenTest,
  },
  {
    breaks: 'a filter that is missing has forgotten nothing',
    file: 'packages/store/src/lua/maybe-forgotten.lua',
    from: 'assert(bits[1] == 1',
    to: 'assert(true',
    test: forgottenTest,
  },
  {
    breaks: 'an order is taken for a forgotten one by most of its bits',
    file: 'packages/store/src/lua/maybe-forgotten.lua',
    from: 'if set == 8 then',
    to: 'if set >= 7 then',
    test: forgottenTest,
  },
  {
    breaks: 'filters that are older than they were are read',
    file: 'packages/store/src/outbox/filters.ts',
    from: 'if (list.generation < generation)',
    to: 'if (list.generation < 0)',
    test: filtersTest,
  },
  {
    breaks: 'an order has its bits elsewhere than in the version before',
    file: 'packages/store/src/outbox/filters.ts',
    from: 'digest.readUInt16BE(6 + 2 * i)',
    to: 'digest.readUInt16BE(7 + 2 * i)',
    test: filtersTest,
  },
  {
    breaks: 'the next group waits for the archive',
    file: 'packages/store/src/intake/intake.ts',
    from: 'void this.#recall(',
    to: 'await this.#recall(',
    test: forgottenTest,
  },
  {
    breaks: 'an archive that is older than it was is believed',
    file: lookUps,
    from: 'if (known < version)',
    to: 'if (known < 0)',
    test: lookUpsTest,
  },
  {
    breaks: 'another archive is believed',
    file: lookUps,
    from: "return notBelieved('it does not know",
    to: "return { kind: 'ABSENT' } ?? notBelieved('it does not know",
    test: lookUpsTest,
  },
  {
    breaks: 'an archive that fails is asked for each order',
    file: lookUps,
    from: 'performance.now() < this.#pausedUntil',
    to: 'performance.now() < 0',
    test: lookUpsTest,
  },
  {
    breaks: 'an order is claimed in a Redis that is older than it was',
    file: 'apps/ingress/src/guard.ts',
    from: 'demand(orderIdOf(incoming.order))\n      return intake',
    to: 'return intake',
    test: ['apps/ingress', 'src/guard.test.ts'],
  },
  {
    breaks: 'an ingress is ready while a filter is damaged',
    file: 'apps/ingress/src/recall.ts',
    from: "faults.join('; ') || undefined",
    to: 'undefined',
    test: recallTest,
  },
]
