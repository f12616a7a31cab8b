import { join } from 'node:path';
import { configDefaults, defineConfig } from 'vitest/config';
import SlowFirst from './sequencer.ts';

/**
 * Minutes of work on whole machines, hundreds of devices or other clocks: `npm run test:long` runs these, `npm test` the
 * rest, which has to be done in ten minutes on two cores.
 */
const long = [
  'e2e/agent-on-device.test.ts',
  'e2e/agent-service-undo.test.ts',
  'e2e/agent-service.test.ts',
  'e2e/clock-update.test.ts',
  'e2e/connect-hook.test.ts',
  'e2e/delta-fault.test.ts',
  'e2e/enrollment-crash.test.ts',
  'e2e/provision-crash.test.ts',
  'e2e/provision.test.ts',
  'e2e/rotation.test.ts',
];
/** Of these, `npm test` runs a sample. */
const sampled = [
  'e2e/bad-request.test.ts',
  'e2e/json-contract.test.ts',
  'e2e/bad-update.test.ts',
  'e2e/update-path-crash.test.ts',
  'integration/agent/program-update.test.ts',
];
/** Of all projects. What is waited for may take its time on a busy machine. */
const each = { isolate: false, setupFiles: ['support/seed.ts'], expect: { poll: { timeout: 15_000 } } };
const isLong = process.env['FLOTILLA_TESTS'] === 'long';

/**
 * unit: pure code. integration: real files, sockets, SQLite, processes. e2e: the built CLI, coordinator and agents. Their
 * files leave nothing behind in their process and share the workers, which saves their start.
 */
export default defineConfig({
  root: import.meta.dirname,
  test: {
    // On two cores: while some wait for other processes, and for time to pass, others work.
    maxWorkers: 4,
    sequence: { sequencer: SlowFirst },
    // Node 24.15 and later crash now and then in V8's Maglev compiler when the machine is short of cores
    // (nodejs/node#64841): a worker that ends by SIGTRAP or SIGSEGV takes a file of tests with it.
    execArgv: ['--no-maglev'],
    // For the hundreds of processes that tests start: what was compiled once is not compiled again.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, '..', 'node_modules', '.cache', 'compile') },
    projects: [
      { test: { ...each, name: 'unit', include: ['unit/**/*.test.ts', '*.test.ts'], testTimeout: 60_000 } },
      {
        test: {
          ...each,
          name: 'integration',
          include: ['integration/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          ...each,
          name: 'e2e',
          include: isLong ? [...long, ...sampled] : ['e2e/**/*.test.ts'],
          exclude: isLong ? configDefaults.exclude : [...configDefaults.exclude, ...long],
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
});
