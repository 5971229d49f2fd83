import { type PanelContent, quantileOf, rateOf } from './panel.ts'

/** What becomes of concluded orders in the archive. */
export const archivePanels: PanelContent[] = [
  {
    title: 'Archive lag',
    description: 'Age of the oldest outcome that is not in the archive.',
    unit: 's',
    queries: [['max(placeorder_archive_lag_seconds)', 'lag']],
    badFrom: 60,
  },
  {
    title: 'Archived, and kept in the outbox',
    description: 'Orders copied a second; entries of the outbox; orders set aside.',
    unit: 'short',
    queries: [
      ['sum(rate(placeorder_archived_orders_total[$__rate_interval]))', 'archived/s'],
      ['max(placeorder_outbox_entries)', 'outbox entries'],
      ['max(placeorder_unarchivable_orders)', 'set aside'],
    ],
  },
  {
    title: 'Forgotten by Redis',
    description: 'Archived orders forgotten a second; the used share of the newest filter.',
    unit: 'short',
    queries: [
      ['sum(rate(placeorder_forgotten_orders_total[$__rate_interval]))', 'forgotten/s'],
      ['max(placeorder_filter_fill_ratio)', 'filter filled'],
    ],
  },
  {
    title: 'Forgetting lag',
    description: 'For how long the oldest order that Redis should have forgotten is due.',
    unit: 's',
    queries: [['max(placeorder_forget_lag_seconds)', 'lag']],
    badFrom: 900,
  },
  {
    title: 'Looked up in the archive',
    description:
      'Orders a second that Redis may have forgotten, by what the archive says. Absent ones were ' +
      'never placed; not believed or without an answer, they are U.',
    unit: 'short',
    queries: [[rateOf('placeorder_archive_look_ups_total', 'result'), '{{result}}']],
  },
  {
    title: 'Seconds until the archive answered',
    description: 'For the orders of a group; half of them, and 99 of 100.',
    unit: 's',
    queries: [
      [quantileOf(0.5, 'placeorder_archive_look_up_seconds_bucket'), 'p50'],
      [quantileOf(0.99, 'placeorder_archive_look_up_seconds_bucket'), 'p99'],
    ],
    badFrom: 1,
  },
]

/** What sinks are sent. */
export const eventPanels: PanelContent[] = [
  {
    title: 'Events delivered',
    description: 'Events a second, by sink.',
    unit: 'short',
    queries: [
      ['sum by (sink) (rate(placeorder_events_delivered_total[$__rate_interval]))', '{{sink}}'],
    ],
  },
  {
    title: 'Events waiting',
    description: 'Age of the oldest event in the outbox, by sink.',
    unit: 's',
    queries: [['max by (sink) (placeorder_sink_lag_seconds)', '{{sink}}']],
    badFrom: 60,
  },
  {
    title: 'Events failed',
    description: 'Sendings that failed a second, events tried again, and dead letters, by sink.',
    unit: 'short',
    queries: [
      ['sum by (sink) (rate(placeorder_event_failures_total[$__rate_interval]))', '{{sink}} fails'],
      ['max by (sink) (placeorder_events_retried)', '{{sink}} tried again'],
      ['max by (sink) (placeorder_dead_letters)', '{{sink}} dead'],
    ],
  },
  {
    title: 'Seconds from conclusion to delivery, p99',
    description: 'Of 99 in 100 events, by sink. Those that waited for an endpoint are among them.',
    unit: 's',
    queries: [[quantileOf(0.99, 'placeorder_event_delivery_seconds_bucket', ', sink'), '{{sink}}']],
  },
  {
    title: 'Sinks that do not deliver',
    description:
      '1 while the endpoint of a sink is down (failing), it answered 410 (disabled), or no ' +
      'notifier has it in its file (paused).',
    unit: 'short',
    queries: [
      ['max by (sink, state) (placeorder_sink_state{state!="delivering"})', '{{sink}} {{state}}'],
    ],
    badFrom: 1,
  },
  {
    title: 'Events dropped',
    description: 'Events a minute that a sink did not take in time. Replay them.',
    unit: 'short',
    queries: [
      ['60 * sum by (sink) (rate(placeorder_events_dropped_total[$__rate_interval]))', '{{sink}}'],
    ],
  },
]
