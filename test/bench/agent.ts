/**
 * `npm run bench:agent`: what the one-file agent costs a device. It is started as the service starts it (flags and
 * environment of the unit), beside a real coordinator: time until it is connected, memory when idle and in an update, CPU
 * when idle. `--seconds N` is how long idleness is watched (60); the CPU of an hour is extrapolated from it and labelled
 * so. One JSON document on stdout, progress on stderr; exit code 1 when a target is missed, 2 for wrong arguments.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { parseDocument } from 'yaml';
import { buildProductImages, productPath } from '../../src/board/index.ts';
import { prepareDevice } from '../../src/demo/agent-setup.ts';
import { buildRelease, publish } from '../../src/demo/build-release.ts';
import { DemoCli } from '../../src/demo/demo-cli.ts';
import { nodeFlags, serviceEnvironment } from '../../src/device/init/service-file.ts';
import { top } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import { createFleet } from '../support/fleet.ts';

const target = { rssBytes: 70_000_000, idleCpuPercent: 0.1, fileBytes: 1_500_000 };
/** After the start: what it has compiled and read is given back by then. */
const fillerBytes = 48 << 20;
const settleSeconds = 10;
const file = join(top, 'dist', 'agent', 'flotilla-agent.js');

const say = (text: string): void => void process.stderr.write(`${text}\n`);
const seconds = readArguments();
const measured = await measure();
const result = {
  node: process.version,
  arch: process.arch,
  flags: nodeFlags,
  fileBytes: statSync(file).size,
  startToConnectedMs: measured.starts,
  idle: {
    ...measured.idle,
    /** Not measured: idle.cpuMs of idle.watchedSeconds, times 3,600. */
    extrapolatedCpuMsPerHour: Math.round((measured.idle.cpuMs / measured.idle.watchedSeconds) * 3_600),
  },
  update: measured.update,
  target,
};
const missed = [
  result.fileBytes > target.fileBytes && 'fileBytes',
  measured.idle.rssBytes > target.rssBytes && 'idle.rssBytes',
  measured.update.downloadingRssBytes > target.rssBytes && 'update.downloadingRssBytes',
  measured.idle.cpuPercent > target.idleCpuPercent && 'idle.cpuPercent',
].filter((name) => name !== false);
process.stdout.write(`${JSON.stringify({ ...result, missed }, undefined, 2)}\n`);
if (missed.length > 0) process.exitCode = 1;

function readArguments(): number {
  try {
    const { values } = parseArgs({ options: { seconds: { type: 'string', default: '60' } } });
    const given = Number(values.seconds);
    if (Number.isInteger(given) && given > 0) return given;
    throw new Error(`--seconds ${values.seconds} is no whole number of seconds`);
  } catch (error) {
    say(`${(error as Error).message}\nbench:agent [--seconds N]`);
    process.exit(2);
  }
}

async function measure() {
  await using fleet = await createFleet();
  const cli = new DemoCli(fleet.dir, new AbortController().signal);
  say('building two releases');
  const first = await buildRelease(cli, { dir: fleet.scratch, version: '1.0.0' });
  const second = await buildLargeRelease(cli, fleet.scratch);
  await publish(cli, first);
  const release = await publish(cli, { version: '2.0.0', path: second });
  await mkdir(join(fleet.scratch, 'board'));
  const board = await prepareDevice(
    { id: 'bench-1', site: 'harbour', ring: 'canary' },
    {
      cli,
      boardsDir: join(fleet.scratch, 'board'),
      bundlePath: first.path,
      publicKeyPath: join(fleet.dir, 'keys', 'firmware.pub'),
      coordinator: { host: '127.0.0.1', port: fleet.port },
    },
  );
  // What a boot would write, and a restart that does not come: the update is left when it asks for one.
  await mkdir(dirname(board.path.bootId), { recursive: true });
  await writeFile(board.path.bootId, '11111111-2222-4333-8444-555555555555\n');
  await writeFile(board.path.slot, 'a\n');
  const config = join(board.path.data, 'agent.yaml');
  const document = parseDocument(await readFile(config, 'utf8'));
  document.setIn(['update', 'reboot', 'command'], ['true']);
  document.deleteIn(['update', 'watchdog']); // the board's, every 500 ms; a device's own is its own choice
  document.deleteIn(['link', 'keepaliveSeconds']); // likewise, of the demo
  await writeFile(config, document.toString());

  const cache = join(fleet.scratch, 'compile-cache');
  const cold = await startAgent(config, cache, board.path.data);
  const coldMs = cold.connectedMs;
  await cold.stop();
  const agent = await startAgent(config, cache, board.path.data);
  try {
    say(
      `connected after ${coldMs} ms the first time, ${agent.connectedMs} ms the second; ${settleSeconds} s to settle`,
    );
    await sleep(settleSeconds * 1_000);
    say(`idle for ${seconds} s`);
    const before = cpuMs(agent.pid);
    const begun = performance.now();
    await sleep(seconds * 1_000);
    const usedMs = cpuMs(agent.pid) - before;
    const watchedSeconds = (performance.now() - begun) / 1_000;
    const idle = {
      ...memory(agent.pid),
      watchedSeconds: Math.round(watchedSeconds),
      cpuMs: Math.round(usedMs * 10) / 10,
      cpuPercent: Math.round((usedMs / watchedSeconds / 10) * 10_000) / 10_000,
      wakeupsPerSecond: Math.round((agent.wakeups() / watchedSeconds) * 100) / 100,
    };
    say('an update');
    await cli.run(['rollout', 'start', release.id, 'bench-1', '--yes', '--expect', '1']);
    const peak: Record<string, number> = {};
    const size = statSync(second).size;
    const received = join(board.path.data, 'state', 'download.fw');
    await eventually(
      'the bundle is installed',
      () => {
        const reported = agent.updateState() ?? 'offered';
        // It goes on to look at the whole bundle, which needs the engine: another thing than to receive it.
        const state = reported === 'downloading' && sizeOf(received) >= size ? 'verifying' : reported;
        peak[state] = Math.max(peak[state] ?? 0, memory(agent.pid).rssBytes);
        return state === 'rebooting' || state === 'failed' ? state : undefined;
      },
      { timeoutMs: 120_000, everyMs: 5 },
    );
    const downloadingRssBytes = Math.max(peak['offered'] ?? 0, peak['downloading'] ?? 0);
    const update = { bundleBytes: size, downloadingRssBytes, peakRssBytesByState: peak };
    return { idle, update, starts: { withoutCompileCache: coldMs, withCompileCache: agent.connectedMs } };
  } finally {
    await agent.stop();
    await rm(cache, { recursive: true, force: true });
  }
}

/** The example product with one more resource, which does not compress: a download of a usual size. */
async function buildLargeRelease(cli: DemoCli, dir: string): Promise<string> {
  const productDir = productPath();
  const { variables } = await buildProductImages({ productDir, outDir: join(dir, 'image', 'large'), version: '2.0.0' });
  const filler = join(dir, 'filler.bin');
  await writeFile(filler, randomBytes(fillerBytes));
  const conf = join(dir, 'large.conf');
  const resource = `file-resource filler.bin {\n  host-path = "${filler}"\n}\n`;
  await writeFile(conf, resource + (await readFile(join(productDir, 'fwup.conf'), 'utf8')));
  const path = join(dir, 'large.fw');
  const defines = Object.entries(variables).flatMap(([name, value]) => ['--define', `${name}=${value}`]);
  await cli.run(['firmware', 'build', '-f', conf, '-o', path, '--compression', '1', ...defines]);
  return path;
}

async function startAgent(config: string, cache: string, cwd: string) {
  const lines: Record<string, unknown>[] = [];
  const begun = performance.now();
  const child = execa(process.execPath, [...nodeFlags, file, 'run', '--config', config], {
    reject: false,
    cwd,
    buffer: false,
    stdin: 'ignore',
    stdout: 'ignore',
    env: { ...Object.fromEntries(serviceEnvironment.map((pair) => pair.split('=', 2))), NODE_COMPILE_CACHE: cache },
  });
  let rest = '';
  let connectedMs: number | undefined;
  child.stderr.on('data', (chunk: Buffer) => {
    const parts = (rest + chunk.toString()).split('\n');
    rest = parts.pop() ?? '';
    for (const line of parts) lines.push(JSON.parse(line) as Record<string, unknown>);
    if (lines.some(({ msg }) => msg === 'connected')) connectedMs ??= Math.round(performance.now() - begun);
  });
  await eventually('the agent is connected', () => connectedMs !== undefined, { everyMs: 5 });
  const pid = child.pid as number;
  const wokenBefore = switches(pid);
  return {
    pid,
    connectedMs: connectedMs!,
    wakeups: () => switches(pid) - wokenBefore,
    updateState: () => lines.findLast(({ msg }) => msg === 'update')?.['state'] as string | undefined,
    async stop() {
      child.kill('SIGTERM');
      await child;
    },
  };
}

/** Allocated, not apparent: parts come in any order. */
function sizeOf(path: string): number {
  return (statSync(path, { throwIfNoEntry: false })?.blocks ?? 0) * 512;
}

/** Resident; and its share of what several processes have in common (the program's pages), where the kernel tells. */
function memory(pid: number): { rssBytes: number; pssBytes: number } {
  const kibibytes = (path: string, name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(readFileSync(path, 'utf8'))?.[1] ?? Number.NaN) * 1_024;
  return {
    rssBytes: kibibytes(`/proc/${pid}/status`, 'VmRSS'),
    pssBytes: kibibytes(`/proc/${pid}/smaps_rollup`, 'Pss'),
  };
}

/** Time on a CPU of all threads, to the nanosecond; utime and stime count in hundredths of a second. */
function cpuMs(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const spent = threads.map((id) => Number(readFileSync(`/proc/${pid}/task/${id}/schedstat`, 'utf8').split(' ')[0]));
  return spent.reduce((sum, ns) => sum + ns, 0) / 1e6;
}

/** How often any of its threads went to sleep by itself. */
function switches(pid: number): number {
  const counts = readdirSync(`/proc/${pid}/task`).map((id) =>
    Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/task/${id}/status`, 'utf8'))?.[1] ?? 0),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}
