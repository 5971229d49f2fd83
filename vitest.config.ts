import { defineConfig } from 'vitest/config'

// One file at a time: tests start real Redis servers and real processes, and the machine has few cores. No module of ours keeps
// state, so that files share them.
export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    passWithNoTests: true,
    fileParallelism: false,
    isolate: false,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    reporters: process.env.CI ? ['default', 'json'] : ['default'],
    outputFile: { json: '.reports/tests.json' },
  },
})
