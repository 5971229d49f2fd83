#!/usr/bin/env node
import { complaintAbout } from './node-version.ts'

// What the package starts with. Everything else is loaded only on a Node that can load it.
const complaint = complaintAbout(process.versions.node)
if (complaint === undefined) await import('./main.ts')
else {
  process.stderr.write(`${complaint}\n`)
  process.exitCode = 2
}
