import { readCallerConfig } from '../cli/caller-options.ts'
import { type Command, exitCode, noResult, UsageError, untilInterrupted } from '../cli/command.ts'
import { asksForHelp, printHelp, readArgs, readNumber } from '../cli/options.ts'
import { readSample } from '../cli/sample-order.ts'
import { writeOptionFile } from '../cli/write-option-file.ts'
import { loadOptions, readObjectives, readSetup } from './load-options.ts'
import { openTemplate } from './order-template.ts'
import { printSummary } from './print-summary.ts'
import { reportHtml } from './report.ts'
import { runLoad } from './run-load.ts'

const notes = [
  'All requests are signed before the clock starts. Orders whose answer is lost or U are polled,',
  'as Alipay+ does.',
  'Exits 0 when all objectives are met, 1 when not or when nobody answers, 2 on invalid arguments.',
]

export const command: Command = {
  name: 'load',
  summary: 'Sends many orders and judges the answers by objectives.',
  async run(args, terminal) {
    if (asksForHelp(args)) {
      printHelp(this, { options: loadOptions, notes }, terminal)
      return exitCode.ok
    }
    const { values } = readArgs(args, loadOptions)
    const setup = readSetup(values)
    const objectives = readObjectives(values)
    const timeFactor = readNumber('time-factor', values['time-factor'])
    const customers = readNumber(
      'customers',
      values.customers ?? `${Math.ceil(setup.amount / 10)}`,
      {
        min: 1,
        whole: true,
      },
    )
    const template = openTemplate((await readSample(values.sample)).fields, customers)
    const config = await readCallerConfig(values, terminal)
    if (config.inquiryUrl.origin !== config.url.origin && setup.mix.inquiry > 0) {
      throw new UsageError(
        '--inquiry-url: load needs the host of --url here, or a --mix without inquiry',
      )
    }
    try {
      return await untilInterrupted('stopped before the first request', async (signal) => {
        const summary = await runLoad({
          config,
          template,
          setup: { ...setup, url: config.url.href },
          objectives,
          timeFactor,
          signal,
          terminal,
        })
        await writeOptionFile('report', values.report, reportHtml(summary))
        if (values.json) terminal.print(JSON.stringify(summary, null, 2))
        else {
          printSummary(summary, terminal)
          terminal.print(`\nreport     ${values.report}`)
        }
        return summary.met ? exitCode.ok : exitCode.failed
      })
    } catch (error) {
      return noResult(error, terminal)
    }
  },
}
