import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Plugin } from '@oclif/core/config';
import { settings } from '@oclif/core/settings';
import { top } from './cli.ts';

type CommandClass = Awaited<ReturnType<Plugin['findCommand']>> & { streams?: boolean };
export interface LoadedCommand {
  /** As typed: `device list`. */
  name: string;
  command: NonNullable<CommandClass>;
}

/** Every command of the source tree, loaded by oclif itself. */
export async function loadCommands(): Promise<LoadedCommand[]> {
  settings.enableAutoTranspile = false;
  const pjson = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8'));
  pjson.oclif.commands = { strategy: 'pattern', target: './commands', globPatterns: ['**/*.ts'] };
  const plugin = new Plugin({ root: top, isRoot: true, pjson, ignoreManifest: true, errorOnManifestCreate: true });
  await plugin.load();
  const commands: LoadedCommand[] = [];
  for (const id of plugin.commandIDs.toSorted()) {
    commands.push({ name: id.replaceAll(':', ' '), command: await plugin.findCommand(id, { must: true }) });
  }
  return commands;
}
