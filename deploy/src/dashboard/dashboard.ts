import {
  type Dashboard,
  DashboardBuilder,
  RowBuilder,
} from '@grafana/grafana-foundation-sdk/dashboard'
import { graphOf, type Shown, statOf } from './panel.ts'
import { decisions, machines, now, orders, traffic } from './shown.ts'

/** The dashboard as Grafana reads it, made with Grafana's own SDK, whose types are its schema. */
export function buildDashboard(): Dashboard {
  const dashboard = new DashboardBuilder('placeorder')
    .uid('placeorder')
    .description('Orders, their answers, and what they rest on.')
    .tags(['placeorder'])
    .timezone('browser')
    .time({ from: 'now-30m', to: 'now' })
    .refresh('10s')
    .readonly()
  for (const shown of now) dashboard.withPanel(statOf(shown, now.length))
  const rows: [string, Shown[], across: number][] = [
    ['Callers', traffic, 2],
    ['Orders', orders, 3],
    ['Decisions', decisions, 2],
    ['Processes and Redis', machines, 3],
  ]
  for (const [title, panels, across] of rows) {
    dashboard.withRow(new RowBuilder(title))
    for (const shown of panels) dashboard.withPanel(graphOf(shown, across))
  }
  return dashboard.build()
}

/** Its file: `npm run dashboard` writes it, and a test fails when it is stale. */
export const dashboardText = (): string => `${JSON.stringify(buildDashboard(), null, 2)}\n`
