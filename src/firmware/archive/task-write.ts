import { parseBlockNumber } from '../config/call-spec.ts';
import { resourceRecord, type ResourceRecord } from '../config/resource.ts';
import { fromByteString } from '../config/source-text.ts';
import type { Section } from '../config/section.ts';
import { BundleFile } from './bundle-file.ts';
import { readBundleHead } from './bundle-head.ts';
import { ByteReader } from './byte-reader.ts';
import { ZipReader } from './zip-reader.ts';

/** What a task leaves on the destination, as far as its text says so: enough to read it back and compare. */
export interface TaskWrite {
  task: string;
  images: WrittenImage[];
  /** U-Boot variables that the task sets, the last value of each. */
  variables: Record<string, string>;
}

export interface WrittenImage {
  resource: string;
  /** Where on the destination the data runs stand, in bytes, in the order in which they are hashed. */
  runs: { offsetBytes: number; lengthBytes: number }[];
  /** Hex BLAKE2b-256 of the runs. */
  blake2b256: string;
}

/** The tasks of a bundle whose signature holds, and what each of them writes with raw_write. Resources are not read. */
export async function readTaskWrites(path: string, publicKeys: readonly Buffer[]): Promise<TaskWrite[]> {
  const reader = new ByteReader(new BundleFile(path));
  try {
    const { metaConf } = await readBundleHead(new ZipReader(reader), { publicKeys });
    return metaConf.root.all('task').map((task) => taskWrite(task, metaConf.root));
  } finally {
    await reader.close();
  }
}

function taskWrite(task: Section, root: Section): TaskWrite {
  const variables: Record<string, string> = {};
  const sections = [...task.all('on-init'), ...task.all('on-resource'), ...task.all('on-finish')];
  for (const { calls } of sections) {
    for (const { name, args } of calls) {
      const [, variable, value] = args.map(fromByteString);
      if (name === 'uboot_setenv' && variable !== undefined && value !== undefined) variables[variable] = value;
    }
  }
  const images = task.all('on-resource').flatMap((section) => imagesOf(section, root));
  return { task: fromByteString(task.title), images, variables };
}

function imagesOf(section: Section, root: Section): WrittenImage[] {
  const resource = root.find('file-resource', section.title);
  if (resource === undefined) return [];
  const record = resourceRecord(resource);
  return section.calls.flatMap(({ name, args }) => {
    const block = name === 'raw_write' && args.length === 1 ? parseBlockNumber(args[0] ?? '') : undefined;
    if (block === undefined) return [];
    return [
      { resource: fromByteString(record.name), runs: runsOf(record, block * 512), blake2b256: record.blake2b256 },
    ];
  });
}

function runsOf({ map }: ResourceRecord, startBytes: number): WrittenImage['runs'] {
  let offsetBytes = startBytes;
  const runs: WrittenImage['runs'] = [];
  for (const [index, lengthBytes] of map.entries()) {
    if (index % 2 === 0 && lengthBytes > 0) runs.push({ offsetBytes, lengthBytes });
    offsetBytes += lengthBytes;
  }
  return runs;
}
