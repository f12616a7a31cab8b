import { defineConfig } from 'vitest/config';

/** unit: pure code. integration: real files, sockets, SQLite, processes. e2e: the built CLI, coordinator and agents. */
export default defineConfig({
  root: import.meta.dirname,
  test: {
    // Two for each of two cores: most of what a test does is to wait for other processes.
    maxWorkers: 4,
    projects: [
      { test: { name: 'unit', include: ['unit/**/*.test.ts', '*.test.ts'], testTimeout: 20_000 } },
      {
        test: { name: 'integration', include: ['integration/**/*.test.ts'], testTimeout: 60_000, hookTimeout: 60_000 },
      },
      {
        test: {
          name: 'e2e',
          include: ['e2e/**/*.test.ts'],
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
});
