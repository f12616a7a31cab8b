/**
 * The updater of the agent's own program as a process: what a program of a test loads, started by the real launcher as
 * `NODE PROGRAM run OPTION.json`. The link is a file. Ends with 0 when nothing is under way; restarts by ending.
 */
import fs, { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { ProgramUpdater } from '../../src/agent/program/program-updater.ts';
import type { AgentOffer } from '../../src/protocol/request.ts';

export interface ProgramProcessOption {
  /** State folder. */
  directory: string;
  bundle: string;
  publicKeys: string[];
  offer: AgentOffer;
  /** Programs of these versions do not reach the coordinator. */
  unlinked: string[];
  /** Before so many effects on the disk (files, commits) in all processes the power goes. */
  cutAt?: number;
}

/** A number of effects that all processes together have had: in a file, so that they can be cut anywhere. */
function countEffects({ directory, cutAt }: ProgramProcessOption): void {
  const file = join(directory, 'effects');
  const count = (): void => {
    const done = (existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0) + 1;
    writeFileSync(file, String(done));
    if (done === cutAt) process.kill(0, 'SIGKILL'); // the launcher as well: it is its group
  };
  for (const name of ['rename', 'symlink', 'rm', 'mkdir', 'open', 'truncate'] as const) {
    const real = fs.promises[name] as (...args: unknown[]) => Promise<unknown>;
    Object.assign(fs.promises, {
      [name]: (...args: unknown[]) => {
        count();
        return real(...args);
      },
    });
  }
  syncBuiltinESMExports();
  const exec = DatabaseSync.prototype.exec;
  DatabaseSync.prototype.exec = function (this: DatabaseSync, sql: string) {
    if (sql === 'COMMIT') count();
    return exec.call(this, sql);
  };
}

export async function runProgram(version: string, optionFile: string): Promise<void> {
  const option = JSON.parse(readFileSync(optionFile, 'utf8')) as ProgramProcessOption;
  countEffects(option);
  const { updater, close } = await build(version, option);
  await updater.start();
  if (updater.history(1)[0]?.updateId !== option.offer.updateId) updater.offer(option.offer, () => undefined);
  await updater.idle();
  await close();
}

async function build(
  version: string,
  { directory, bundle, publicKeys, unlinked }: ProgramProcessOption,
): Promise<{ updater: ProgramUpdater; close(): Promise<void> }> {
  // After the counting has begun: what they import is bound to it.
  const { ProgramUpdater } = await import('../../src/agent/program/program-updater.ts');
  const { takeLaunch } = await import('../../src/agent/program/take-launch.ts');
  const { ensureAgentSchema } = await import('../../src/agent/state/agent-schema.ts');
  const { systemClock } = await import('../../src/clock.ts');
  const { createDeviceLog, openDeviceDatabase } = await import('../../src/eventlog/index.ts');
  const { createLog } = await import('../../src/log.ts');
  const { fileLink } = await import('./file-slot-device.ts');
  const database = openDeviceDatabase(join(directory, 'agent.db'));
  ensureAgentSchema(database);
  const launch = takeLaunch(process.env);
  const updater = new ProgramUpdater({
    database,
    log: createDeviceLog(database),
    link: fileLink(bundle, () => !unlinked.includes(version)),
    clock: systemClock,
    machine: { bootId: () => 'one-boot', uptimeMs: () => 1 },
    logger: createLog({ name: 'agent', level: 'silent' }),
    agentVersion: version,
    publicKeys: publicKeys.map((key) => Buffer.from(key, 'hex')),
    ...(launch === undefined ? {} : { launch: { ...launch, restart: () => undefined } }),
    proveSeconds: 0.8,
    soakSeconds: 0.01,
    directory,
    busy: () => undefined,
  });
  return {
    updater,
    async close() {
      await updater.stop();
      database.close();
    },
  };
}
