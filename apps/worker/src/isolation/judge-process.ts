import { readFile } from 'node:fs/promises'
import { textOf } from '@placeorder/config'
import { judgeOrder } from '../judge-order.ts'
import { parseRulebook } from '../rulebook.ts'
import { Question, type Verdict } from './messages.ts'

// Judges orders for a worker, one at a time, as long as the worker is there. It may die of one.

const [, , policyFile = ''] = process.argv
const reply = (verdict: Verdict) => void process.send?.(verdict)
const unseen = { inForce: () => {}, failed: () => {}, circuit: () => {} }
const rulebook = await parseRulebook(
  textOf(await readFile(policyFile), policyFile),
  policyFile,
  unseen,
)

async function verdictOn({ facts, checksMs }: Question): Promise<Verdict> {
  try {
    return { outcome: await judgeOrder(facts, rulebook, AbortSignal.timeout(checksMs)) }
  } catch (cause) {
    return { reason: cause instanceof Error ? cause.message : String(cause) }
  }
}

process.on('message', async (message) => reply(await verdictOn(Question.parse(message))))
process.on('disconnect', () => process.exit())
reply({ ready: true })
