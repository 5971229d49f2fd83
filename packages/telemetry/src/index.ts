export { openLog } from './log.ts'
