import type { Running } from '../../protocol/event.ts';
import { machineGrains, type Grains } from './machine-grain.ts';
import { readGrainFile, runGrainExecutables } from './product-grain.ts';

export interface GrainSource {
  file: string;
  directory: string;
  executableTimeoutMs: number;
  agentVersion: string;
  running(): Promise<Running>;
  /** What the agent takes the time from. */
  clock?(): object;
  /** IANA: what the owner has laid down, where that is not the machine's. */
  zone?: string | undefined;
  /** With updates configured: what is installed, for `firmware:`. */
  product?: string;
  signal?: AbortSignal;
}

const maxNameLength = 128;
/** All grains travel in one event, which must fit in one frame. */
const maxGrainBytes = 524_288;

/**
 * All grains of the device. The product's own come first and cannot claim the names of what the agent reads from the
 * machine. What could not be read is in `grains_errors`, by source.
 */
export async function collectGrains(source: GrainSource): Promise<Grains> {
  const { file, directory, executableTimeoutMs: timeoutMs, agentVersion, product, signal, zone } = source;
  const fixed = await readGrainFile(file);
  const printed = await runGrainExecutables({ directory, timeoutMs, ...(signal ? { signal } : {}) });
  const errors: Record<string, string> = { ...fixed.errors, ...printed.errors };
  const running = await source.running().catch((error: Error) => {
    errors['machine'] = error.message.slice(0, 300);
    return undefined;
  });
  const own: Grains = {
    ...machineGrains(),
    agent_version: agentVersion,
    ...(zone === undefined ? {} : { timezone: zone }),
    ...(source.clock === undefined ? {} : { clock: source.clock() }),
    ...(running === undefined ? {} : { boot_id: running.bootId }),
    ...(product === undefined || running === undefined ? {} : { firmware: firmwareGrain(product, running) }),
  };
  const grains = bounded({ ...fixed.grains, ...printed.grains }, errors);
  return { ...grains, ...own, ...(Object.keys(errors).length === 0 ? {} : { grains_errors: errors }) };
}

function firmwareGrain(product: string, { version, bundleUuid, slot }: Running): Grains {
  return {
    product,
    ...(version === undefined ? {} : { version }),
    ...(bundleUuid === undefined ? {} : { uuid: bundleUuid }),
    ...(slot === undefined ? {} : { slot }),
  };
}

/** Names and sizes that the coordinator would refuse are left out and named. */
function bounded(grains: Grains, errors: Record<string, string>): Grains {
  const kept: Grains = {};
  let bytes = 0;
  for (const [name, value] of Object.entries(grains)) {
    const size = Buffer.byteLength(JSON.stringify(value) ?? '');
    if (name.length === 0 || name.length > maxNameLength)
      errors[name.slice(0, 32)] = `a name of 1 to ${maxNameLength} characters is needed`;
    else if (bytes + size > maxGrainBytes) errors[name] = `all grains together are larger than ${maxGrainBytes} bytes`;
    else {
      kept[name] = value;
      bytes += size;
    }
  }
  return kept;
}
