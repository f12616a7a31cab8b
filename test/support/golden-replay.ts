/** Replays the golden steps of fwup against an executable with its command line, each in a folder of its own. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { BundleFile } from '../../src/firmware/archive/bundle-file.ts';
import { ByteReader } from '../../src/firmware/archive/byte-reader.ts';
import { ZipReader } from '../../src/firmware/archive/zip-reader.ts';
import { flagOf, golden, readVector, vectors, type GoldenCase, type GoldenStep } from './fwup-vector.ts';

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

const onesBytes = 524_288;

/** The files of a case where a run may change them; the keys and other cases that it names stand beside it. */
export async function prepareCase(folder: string, { name, inputs = {} }: GoldenCase): Promise<string> {
  const own = join(folder, name);
  await mkdir(own, { recursive: true });
  await cp(join(vectors, name), own, { recursive: true });
  if (name === 'config-errors') {
    const texts: Record<string, string> = JSON.parse(readVector(name, 'all.json').toString());
    for (const [conf, text] of Object.entries(texts)) await writeFile(join(own, `${conf}.conf`), text);
  }
  for (const [file, { size, parts }] of Object.entries(inputs)) {
    const handle = await open(join(own, file), 'w');
    await handle.truncate(size);
    for (const { offset, seed, length } of parts) await handle.write(pseudoRandom(seed, length), 0, length, offset);
    await handle.close();
  }
  return own;
}

/** SHA-256 of `seed:0`, `seed:1`, … one after the other. */
function pseudoRandom(seed: string, length: number): Buffer {
  const blocks: Buffer[] = [];
  for (let index = 0; index * 32 < length; index++) {
    blocks.push(createHash('sha256').update(`${seed}:${index}`).digest());
  }
  return Buffer.concat(blocks).subarray(0, length);
}

/** What a step left: as the manifest tells it, so that both can be compared as a whole. */
export interface StepResult {
  step: string;
  exit: number | undefined;
  stdout: string;
  image?: string | undefined;
  metaConf?: string | undefined;
  members?: [string, string][] | undefined;
  files?: Record<string, string | null>;
}

export interface Replay {
  /** The program and its first arguments. */
  command: readonly [string, ...string[]];
  folder: string;
  /** Images by the label of the step that left them. */
  images: Map<string, Buffer>;
}

export async function runStep({ command, folder, images }: Replay, step: GoldenStep): Promise<StepResult> {
  const device = flagOf(step, '-d');
  const imagePath = device === undefined || device === '/dev/null' ? undefined : join(folder, device);
  if (imagePath !== undefined && step.image_before !== undefined) await prepareImage(imagePath, step, images);
  for (const file of Object.keys(step.files ?? {})) await rm(join(folder, file), { force: true });
  const [program, ...first] = command;
  const { exitCode, stdout } = await execa(program, [...first, ...step.cmd.slice(1)], {
    cwd: folder,
    reject: false,
    extendEnv: false,
    encoding: 'buffer',
    stripFinalNewline: false,
    timeout: 60_000,
    input: await inputOf(folder, step),
    env: {
      PATH: process.env['PATH'],
      HOME: join(folder, '..'),
      LC_ALL: 'C',
      TZ: 'UTC',
      SOURCE_DATE_EPOCH: String(golden.epoch),
      ...step.env,
    },
  });
  const result: StepResult = { step: step.cmd.join(' '), exit: exitCode, stdout: printed(Buffer.from(stdout), step) };
  if (imagePath !== undefined && step.image) {
    const image = existsSync(imagePath) ? await readFile(imagePath) : undefined;
    result.image = image && sha256(image);
    if (image) images.set(step.image.label, image);
  }
  if (step.fw && exitCode === 0) Object.assign(result, await readArchive(join(folder, step.fw.file)));
  if (step.files) result.files = await hashFiles(folder, Object.keys(step.files));
  return result;
}

/** The same of the manifest. */
export function expectedOf(step: GoldenStep): StepResult {
  const { fw, image, files, exit } = step;
  const stdout = printed(
    step.stdout_base64 === undefined ? Buffer.from(step.stdout ?? '') : Buffer.from(step.stdout_base64, 'base64'),
    step,
  );
  return {
    step: step.cmd.join(' '),
    exit,
    stdout,
    ...(image ? { image: image.sha256 } : {}),
    ...(fw ? { metaConf: fw.meta_conf_sha256, members: fw.members.map((each) => [each.name, each.sha256]) } : {}),
    ...(files ? { files } : {}),
  };
}

/** How a framed stream is cut decides which percentages appear; usage texts are everybody's own. */
function printed(bytes: Buffer, { note = '', stdout }: GoldenStep): string {
  if (note.includes('CHUNK DEPENDENT')) return 'depends on the chunks';
  if (stdout === 'usage text') return bytes.length > 0 ? 'usage text' : '';
  return bytes.toString('latin1');
}

async function prepareImage(path: string, step: GoldenStep, images: ReadonlyMap<string, Buffer>): Promise<void> {
  await rm(path, { force: true });
  if (step.image_before === 'none') return;
  await writeFile(path, step.image_before === 'ones' ? Buffer.alloc(onesBytes, 0xff) : images.get(step.image_before!)!);
}

async function inputOf(folder: string, { stdin }: GoldenStep): Promise<Buffer> {
  if (!stdin) return Buffer.alloc(0);
  const bytes = await readFile(join(folder, stdin.file));
  return stdin.frame_size === undefined ? bytes : framed(bytes, stdin.frame_size);
}

/** u32 big-endian length and the bytes, again and again; an empty frame ends. */
export function framed(bytes: Buffer, frameBytes: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at <= bytes.length + frameBytes - 1; at += frameBytes) {
    const part = bytes.subarray(at, at + frameBytes);
    const head = Buffer.alloc(4);
    head.writeUInt32BE(part.length);
    parts.push(head, part);
  }
  return Buffer.concat(parts);
}

/** By what stands in the local headers, with CRCs checked. */
export async function readArchive(path: string): Promise<{ metaConf: string; members: [string, string][] }> {
  const reader = new ByteReader(new BundleFile(path));
  const members: [string, string][] = [];
  try {
    const zip = new ZipReader(reader);
    for (let member = await zip.next(); member; member = await zip.next()) {
      const hash = createHash('sha256');
      for await (const chunk of zip.data(member, Number.MAX_SAFE_INTEGER)) hash.update(chunk);
      members.push([member.name, hash.digest('hex')]);
    }
  } finally {
    await reader.close();
  }
  return { metaConf: members.find(([name]) => name === 'meta.conf')?.[1] ?? '', members };
}

async function hashFiles(folder: string, names: readonly string[]): Promise<Record<string, string | null>> {
  const found: Record<string, string | null> = {};
  for (const name of names) {
    const path = join(folder, name);
    found[name] = existsSync(path) ? sha256(await readFile(path)) : null;
  }
  return found;
}
