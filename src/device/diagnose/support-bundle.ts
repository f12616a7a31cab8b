import { readFile, writeFile } from 'node:fs/promises';
import { arch, freemem, hostname, loadavg, release, totalmem, uptime } from 'node:os';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { loadAgentConfig } from '../../config/load-agent-config.ts';
import { FlotillaError, systemErrorCode } from '../../error.ts';
import { detectInit } from '../init/init-system.ts';
import { readLogTail } from './check-machine.ts';
import type { Diagnosis } from './diagnose.ts';

const logLines = 2_000;

/** @throws FlotillaError where the file can't be made, or is there already */
export async function putSupportBundle(path: string, configFile: string, diagnosis: Diagnosis): Promise<void> {
  try {
    await write(path, configFile, diagnosis);
  } catch (cause) {
    throw new FlotillaError('usage', 'file-not-writable', `${path} can't be written`, {
      seen: systemErrorCode(cause) ?? String(cause),
      suggestion: 'name a new file in a folder that you may write to',
      cause,
    });
  }
}

/** One gzipped JSON document (`zcat FILE`) for whoever helps: what was found, configuration, unit, log. No secret is in it. */
async function write(path: string, configFile: string, diagnosis: Diagnosis): Promise<void> {
  const read = (file: string) => readFile(file, 'utf8').catch((error: Error) => error.message);
  const init = await detectInit('/').catch(() => undefined);
  const config = await loadAgentConfig(configFile).catch(() => undefined);
  const document = {
    made: new Date().toISOString(),
    diagnosis,
    machine: {
      hostname: hostname(),
      arch: arch(),
      kernel: release(),
      node: process.version,
      uptimeSeconds: Math.round(uptime()),
      load: loadavg(),
      memoryBytes: { total: totalmem(), free: freemem() },
      system: await read('/etc/os-release'),
      mounts: await read('/proc/mounts'),
    },
    configuration: await read(configFile),
    service: Object.fromEntries(
      await Promise.all((init?.files ?? []).map(async (file) => [file.path, await read(file.path)])),
    ) as Record<string, string>,
    log: config === undefined ? [] : ((await readLogTail(config, logLines)) ?? []),
  };
  const text = JSON.stringify(document, (_, value: unknown) =>
    typeof value === 'string' ? withoutSecrets(value) : value,
  );
  await writeFile(path, await promisify(gzip)(text), { mode: 0o600, flag: 'wx' });
}

/** Private keys, and what stands behind a name that sounds secret. The agent itself never logs either. */
export function withoutSecrets(text: string): string {
  return text
    .replace(
      /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g,
      '[a private key was here]',
    )
    .replace(
      /((?:pass(?:word|phrase|wd)?|secret|token|api_?key|credential)s?["']?\s*[:=]\s*)("[^"]*"|'[^']*'|[^\s,;}]+)/gi,
      '$1[left out]',
    );
}
