export {
  EventData,
  type EventType,
  eventIdOf,
  eventOf,
  eventTypeOf,
  eventTypes,
  OrderEvent,
  type OrderOutcome,
  testEvent,
} from './event.ts'
export { type EventFilter, passes } from './filter.ts'
export { openSink, sinkFault } from './open-sink.ts'
export type { StreamWriter } from './sinks/redis-stream.ts'
export type { Sent, Sink } from './sinks/sent.ts'
export { parseSinks, SinkEntry } from './sinks-file.ts'
