import { defineConfig } from 'vitest/config'

// One file at a time: tests start real Redis servers and real processes, and the machine has few cores.
export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    passWithNoTests: true,
    fileParallelism: false,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // In CI, on machines that may have other work, a test that was held up past a bound is given one more chance.
    retry: process.env.CI ? 1 : 0,
    reporters: process.env.CI ? ['default', 'json'] : ['default'],
    outputFile: { json: '.reports/tests.json' },
  },
})
