import {
  type Dashboard,
  DashboardBuilder,
  RowBuilder,
} from '@grafana/grafana-foundation-sdk/dashboard'
import { archivePanels, eventPanels } from './outcome-panels.ts'
import { graphOf, type PanelContent, statOf } from './panel.ts'
import { decisionPanels, machinePanels, nowPanels, orderPanels, trafficPanels } from './panels.ts'

/** Builds the dashboard with Grafana's own SDK, whose types are its schema. */
export function buildDashboard(): Dashboard {
  const dashboard = new DashboardBuilder('placeorder')
    .uid('placeorder')
    .description('Orders, their answers, and what they depend on.')
    .tags(['placeorder'])
    .timezone('browser')
    .time({ from: 'now-30m', to: 'now' })
    .refresh('10s')
    .readonly()
  for (const panel of nowPanels) dashboard.withPanel(statOf(panel, nowPanels.length))
  const rows: [string, PanelContent[], across: number][] = [
    ['Callers', trafficPanels, 2],
    ['Orders', orderPanels, 3],
    ['Decisions', decisionPanels, 2],
    ['Archive', archivePanels, 3],
    ['Events', eventPanels, 3],
    ['Processes and Redis', machinePanels, 4],
  ]
  for (const [title, panels, across] of rows) {
    dashboard.withRow(new RowBuilder(title))
    for (const panel of panels) dashboard.withPanel(graphOf(panel, across))
  }
  return dashboard.build()
}

/** The dashboard's file: `npm run dashboard` writes it, and a test fails if it is stale. */
export const dashboardText = (): string => `${JSON.stringify(buildDashboard(), null, 2)}\n`
