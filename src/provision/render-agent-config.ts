import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseDocument } from 'yaml';
import { packageRoot } from '../config/package-root.ts';

/** templates/agent.yaml with a device's values; its comments stay. */
export async function renderAgentConfig(value: {
  host: string;
  port: number;
  state?: string | undefined;
}): Promise<string> {
  const document = parseDocument(await readFile(join(packageRoot(), 'templates', 'agent.yaml'), 'utf8'));
  document.setIn(['coordinator', 'host'], value.host);
  document.setIn(['coordinator', 'port'], value.port);
  if (value.state !== undefined) document.setIn(['state'], value.state);
  return document.toString({ lineWidth: 0 });
}
