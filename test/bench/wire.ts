/**
 * `npm run bench:wire`: what the link costs in bytes, beside what devices could use instead. Real programs on both ends,
 * TLS 1.3 with client certificates, counted by a proxy between them. One JSON document on stdout, progress on stderr;
 * exit code 1 when a target is missed or a peer is not installed, 2 for wrong arguments.
 */
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { meterSchema } from './wire/event-set.ts';
import { createBench } from '../support/link-bench.ts';
import { defaultVectorDirectory } from './wire/event-set.ts';
import { generateVectors } from './wire/generate.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { peerNames, type PeerName } from './wire/report.ts';
import { runScenarios, scenarioNames } from './wire/run.ts';
import { judge } from './wire/target.ts';

const usage = `bench:wire [--peers ${peerNames.join(',')}|none] [--scenarios ${scenarioNames.join(',')}] [--vectors DIRECTORY | --seed N]`;
const say = (text: string): void => void process.stderr.write(`${text}\n`);

const values = (() => {
  try {
    return parseArgs({
      options: {
        peers: { type: 'string' },
        scenarios: { type: 'string' },
        vectors: { type: 'string' },
        seed: { type: 'string' },
      },
    }).values;
  } catch (error) {
    say(`${error instanceof Error ? error.message : String(error)}\n${usage}`);
    process.exit(2);
  }
})();
const named = (text: string | undefined, all: readonly string[]): string[] => {
  const names = text === undefined ? [...all] : text.split(',').filter((name) => name !== '' && name !== 'none');
  const unknown = names.filter((name) => !all.includes(name));
  if (unknown.length > 0) {
    say(`unknown: ${unknown.join(', ')}\n${usage}`);
    process.exit(2);
  }
  return names;
};
if (values.seed !== undefined && (values.vectors !== undefined || !/^\d{1,9}$/.test(values.seed))) {
  say(`--seed takes a whole number, and --vectors is not for it\n${usage}`);
  process.exit(2);
}
const peers = named(values.peers, peerNames) as PeerName[];
const scenarios = new Set(named(values.scenarios, scenarioNames));

const brokers: Partial<Record<PeerName, [string, string]>> = {
  mqtt311: ['mosquitto', '-h'],
  mqtt5: ['mosquitto', '-h'],
  nats: ['nats-server', '-v'],
};
const missing = new Set<string>();
for (const name of peers) {
  const [command, flag] = brokers[name] ?? [];
  if (command === undefined || flag === undefined) continue;
  const { failed, exitCode } = await execa(command, [flag], { reject: false, timeout: 10_000 });
  if (failed && exitCode === undefined) missing.add(command);
}
if (missing.size > 0) {
  say(`not installed: ${[...missing].join(', ')} (Debian packages of the same names); --peers leaves them out`);
  process.exit(1);
}

await using scratch = await temporaryDirectory();
const vectorDirectory = values.vectors ?? (values.seed === undefined ? defaultVectorDirectory : scratch.path);
if (values.seed !== undefined) await generateVectors(vectorDirectory, Number(values.seed));
const meter = await meterSchema(vectorDirectory);
await using bench = await createBench({ schemas: { [meter.fingerprint.toString(16).padStart(16, '0')]: meter.text } });
const reports = await runScenarios({
  bench,
  peers,
  scenarios,
  vectorDirectory,
  progress: say,
});
const vectors = values.seed === undefined ? (values.vectors ?? 'test/vectors/wire') : { seed: Number(values.seed) };
const verdicts = judge(reports, { withPeers: peers.length > 0 });
const missed = Object.entries(verdicts).filter(([, { met }]) => !met);
process.stdout.write(`${JSON.stringify({ vectors, peers, scenarios: reports, targets: verdicts }, undefined, 2)}\n`);
for (const [name, { limit, unit, measured }] of missed)
  say(`missed: ${name} is ${measured}, at most ${limit} (${unit})`);
if (missed.length > 0) process.exitCode = 1;
