import { readWho } from '../cli/caller-options.ts'
import { type Command, exit, UsageError } from '../cli/command.ts'
import { asksForHelp, numberOf, printHelp, readArgs } from '../cli/options.ts'
import { readSample } from '../cli/sample-order.ts'
import { writeNamed } from '../cli/write-named.ts'
import { loadOptions, readObjectives, readSetup } from './load-options.ts'
import { printSummary } from './print-summary.ts'
import { openRecipe } from './recipe.ts'
import { reportHtml } from './report.ts'
import { NobodyAnswers, runLoad } from './run-load.ts'

const notes = [
  'All requests are signed before the clock starts. Orders whose answer is lost or U are inquired after, as Alipay+ does.',
  'Exits 0 when all objectives are met, 1 when not or when nobody answers, 2 when the arguments make no sense.',
]

export const command: Command = {
  name: 'load',
  summary: 'Sends many orders, and judges the answers by objectives.',
  async run(args, terminal) {
    if (asksForHelp(args)) {
      printHelp(this, { options: loadOptions, notes }, terminal)
      return exit.good
    }
    const { values } = readArgs(args, loadOptions)
    const setup = readSetup(values)
    const objectives = readObjectives(values)
    const timeFactor = numberOf('time-factor', values['time-factor'])
    const customers = numberOf('customers', values.customers ?? `${Math.ceil(setup.amount / 10)}`, {
      min: 1,
      whole: true,
    })
    const recipe = openRecipe((await readSample(values.sample)).fields, customers)
    const who = await readWho(values, terminal)
    if (who.inquiryUrl.origin !== who.url.origin && setup.mix.inquiry > 0) {
      throw new UsageError(
        '--inquiry-url: load needs it on the same host as --url, or --mix without inquiry',
      )
    }
    const stop = new AbortController()
    const onSignal = () => stop.abort(new Stopped())
    process.once('SIGINT', onSignal)
    try {
      const summary = await runLoad({
        who,
        recipe,
        setup: { ...setup, url: who.url.href },
        objectives,
        timeFactor,
        signal: stop.signal,
        terminal,
      })
      await writeNamed('report', values.report, reportHtml(summary))
      if (values.json) terminal.print(JSON.stringify(summary, null, 2))
      else {
        printSummary(summary, terminal)
        terminal.print(`\nreport     ${values.report}`)
      }
      return summary.met ? exit.good : exit.missed
    } catch (error) {
      if (!(error instanceof NobodyAnswers) && !(error instanceof Stopped)) throw error
      terminal.note(`${terminal.paint('red', error.message)}`)
      return exit.missed
    } finally {
      process.removeListener('SIGINT', onSignal)
    }
  },
}

/** Somebody pressed Ctrl-C. */
class Stopped extends Error {
  override message = 'stopped before the first request'
}
