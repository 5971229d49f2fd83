import { readFile } from 'node:fs/promises'
import { decodeText } from '@placeorder/config'
import { judgeOrder } from '../judge-order.ts'
import { parseRulebook } from '../rulebook.ts'
import { type JudgeReply, JudgeRequest } from './messages.ts'

// Judges orders for a worker, one at a time, as long as the worker runs. An order may kill it.

const [, , policyFile = ''] = process.argv
/** A worker that is gone cannot be answered; its end also ends this process. */
const reply = (verdict: JudgeReply) => void process.send?.(verdict, () => {})
const noOpChecksObserver = { inForce: () => {}, failed: () => {}, circuit: () => {} }
const rulebook = await parseRulebook(
  decodeText(await readFile(policyFile), policyFile),
  policyFile,
  noOpChecksObserver,
)

async function verdictFor({ facts, checksMs }: JudgeRequest): Promise<JudgeReply> {
  try {
    return { outcome: await judgeOrder(facts, rulebook, AbortSignal.timeout(checksMs)) }
  } catch (cause) {
    return { reason: cause instanceof Error ? cause.message : String(cause) }
  }
}

process.on('message', async (message) => reply(await verdictFor(JudgeRequest.parse(message))))
process.on('disconnect', () => process.exit())
reply({ ready: true })
