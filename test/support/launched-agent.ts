/** A device's folder with the launcher in it: what it starts is named by the test. */
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { ProgramFolder } from '../../src/agent/program/program-folder.ts';
import { defaultAgentConfig } from '../../src/config/agent-default.ts';
import type { AgentConfig } from '../../src/config/index.ts';
import { renderLauncher } from '../../src/device/init/service-file.ts';

export interface LaunchedAgent {
  folder: ProgramFolder;
  programs: string;
  /** The shell that runs the launcher. */
  shell: readonly string[];
  base: string;
  installed: string;
  /** Starts the launcher as an init does, and waits for its end. */
  start(): ReturnType<typeof launch>;
}

function launch(argv: readonly string[]) {
  const [file, ...rest] = argv;
  return execa(file!, rest, { reject: false, detached: true, stdin: 'ignore' });
}

export async function launchedAgent(
  directory: string,
  option: {
    /** The installed program. */
    program: string;
    /** The interpreter and its flags, in the place of Node. */
    interpreter: readonly string[];
    arguments?: readonly string[];
    trialSeconds?: number;
    shell?: readonly string[];
  },
): Promise<LaunchedAgent> {
  const { program, interpreter, trialSeconds = 60, shell = ['sh'] } = option;
  const state = join(directory, 'state');
  const installed = join(directory, 'flotilla-agent.js');
  const launcher = join(directory, 'launch');
  await mkdir(state, { recursive: true });
  await writeFile(installed, program);
  const base = createHash('sha256').update(program).digest('hex');
  const config = {
    ...defaultAgentConfig,
    state,
    selfUpdate: { proveSeconds: trialSeconds - 60, soakSeconds: 0 },
  } as unknown as AgentConfig;
  await writeFile(launcher, await renderLauncher(config, installed, base), { mode: 0o755 });
  const programs = join(state, 'program');
  return {
    folder: new ProgramFolder(programs, base),
    programs,
    shell,
    base,
    installed,
    start() {
      return launch([...shell, launcher, ...interpreter, installed, ...(option.arguments ?? ['run'])]);
    },
  };
}

/** Puts a program on trial as the agent does. */
export async function putOnTrial(folder: ProgramFolder, bundleUuid: string, program: string): Promise<void> {
  await writeFile(await folder.prepare(bundleUuid), program);
  await folder.place(bundleUuid);
}

export async function textOf(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined);
}
