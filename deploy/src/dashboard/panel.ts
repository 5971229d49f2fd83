import {
  BigValueColorMode,
  BigValueGraphMode,
  ReduceDataOptionsBuilder,
  StackingConfigBuilder,
  StackingMode,
} from '@grafana/grafana-foundation-sdk/common'
import type { Threshold } from '@grafana/grafana-foundation-sdk/dashboard'
import { ThresholdsConfigBuilder, ThresholdsMode } from '@grafana/grafana-foundation-sdk/dashboard'
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus'
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat'
import { PanelBuilder as TimeseriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries'

/** The rate of a counter, and a quantile of a histogram, in PromQL. */
export const rateOf = (selector: string, by: string) =>
  `sum by (${by}) (rate(${selector}[$__rate_interval]))`
export const quantileOf = (q: number, bucket: string, by = '') =>
  `histogram_quantile(${q}, sum by (le${by}) (rate(${bucket}[$__rate_interval])))`

/** A PromQL expression and the name of its lines; `{{label}}` stands for a label's value. */
export type Query = [expr: string, legend: string]

/** What a panel shows. `unit` is one of Grafana's: s, percentunit, reqps, short. */
export type PanelContent = {
  title: string
  /** What it means, for those on call. */
  description: string
  unit: string
  queries: Query[]
  /** It is red from this value on, or below `badBelow`. */
  badFrom?: number
  badBelow?: number
  stacked?: boolean
}

/** Grafana's grid has 24 columns. */
const GRID_COLUMNS = 24
const STAT_ROWS = 4
const GRAPH_ROWS = 8

/** A panel with the current value and its history in the background. */
export function statOf(shown: PanelContent, across: number): StatBuilder {
  const panel = new StatBuilder()
    .title(shown.title)
    .description(shown.description)
    .unit(shown.unit)
    .height(STAT_ROWS)
    .span(GRID_COLUMNS / across)
    .targets(targetsOf(shown.queries))
    .thresholds(thresholdsOf(shown))
    .colorMode(BigValueColorMode.Value)
    .graphMode(BigValueGraphMode.Area)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']))
  return panel
}

/** A panel with lines over time. */
export function graphOf(shown: PanelContent, across: number): TimeseriesBuilder {
  const panel = new TimeseriesBuilder()
    .title(shown.title)
    .description(shown.description)
    .unit(shown.unit)
    .height(GRAPH_ROWS)
    .span(GRID_COLUMNS / across)
    .min(0)
    .fillOpacity(shown.stacked ? 40 : 8)
    .targets(targetsOf(shown.queries))
    .thresholds(thresholdsOf(shown))
  if (shown.stacked) panel.stacking(new StackingConfigBuilder().mode(StackingMode.Normal))
  return panel
}

const targetsOf = (queries: Query[]) =>
  queries.map(([expr, legend], at) =>
    new DataqueryBuilder()
      .expr(expr)
      .legendFormat(legend)
      .refId(String.fromCharCode(65 + at))
      .range(),
  )

function thresholdsOf({ badFrom, badBelow }: PanelContent) {
  const steps: Threshold[] = [{ value: null, color: badBelow === undefined ? 'green' : 'red' }]
  if (badFrom !== undefined) steps.push({ value: badFrom, color: 'red' })
  if (badBelow !== undefined) steps.push({ value: badBelow, color: 'green' })
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps)
}
