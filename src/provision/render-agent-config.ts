import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseDocument } from 'yaml';
import { packageRoot } from '../config/package-root.ts';

export interface AgentConfigValue {
  /** Where the coordinator listens for devices. */
  host: string;
  port: number;
  state?: string | undefined;
  /** Text of an agent.yaml to start from; templates/agent.yaml by default. */
  template?: string | undefined;
}

/** An agent.yaml with a device's values; the template's comments stay. */
export async function renderAgentConfig({ host, port, state, template }: AgentConfigValue): Promise<string> {
  const text = template ?? (await readFile(join(packageRoot(), 'templates', 'agent.yaml'), 'utf8'));
  const document = parseDocument(text);
  document.setIn(['coordinator', 'host'], host);
  document.setIn(['coordinator', 'port'], port);
  if (state !== undefined) document.setIn(['state'], state);
  return document.toString({ lineWidth: 0 });
}
