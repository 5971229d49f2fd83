import type { Mutant } from '../mutant.ts'
import { archive } from './archive.ts'
import { events } from './events.ts'
import { forgotten } from './forgotten.ts'
import { ingress } from './ingress.ts'
import { limits } from './limits.ts'
import { orders } from './orders.ts'
import { workers } from './workers.ts'

/** All of them. */
export const mutants: readonly Mutant[] = [
  ...limits,
  ...orders,
  ...workers,
  ...ingress,
  ...forgotten,
  ...archive,
  ...events,
]
