import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** Files that the real fwup made; see README.md beside them. */
export const vectors = join(import.meta.dirname, '..', 'vectors', 'fwup');

export function readVector(...path: string[]): Buffer {
  const bytes = readFileSync(join(vectors, ...path));
  return path.at(-1)!.endsWith('.gz') ? gunzipSync(bytes) : bytes;
}

export interface GoldenStep {
  step: number;
  cmd: string[];
  exit: number;
  note?: string;
  /** What is written to standard input: a file of the case, in frames of this size. */
  stdin?: { file: string; frame_size?: number };
  stdout?: string;
  /** Where standard output has control bytes. */
  stdout_base64?: string;
  stderr?: string;
  /** SHA-256 of what else was written; null: must not be there. */
  files?: Record<string, string | null>;
  env?: Record<string, string>;
  image_before?: string;
  image?: { label: string; size: number; sha256: string };
  /** By path; a directory ends with a slash and has null, a file its sha256. */
  fat_listing?: Record<string, string | null>;
  fw?: {
    file: string;
    meta_conf: string;
    meta_conf_sha256: string;
    uuid: string;
    members: { name: string; size: number; sha256: string }[];
  };
}

export interface GoldenCase {
  name: string;
  /** Sparse files that are made, not stored: pieces of pseudo-random bytes. */
  inputs?: Record<string, { size: number; parts: { offset: number; seed: string; length: number }[] }>;
  steps: GoldenStep[];
}

export const golden: { epoch: number; cases: GoldenCase[] } = JSON.parse(readVector('manifest.json').toString());

export function goldenCase(name: string): GoldenCase {
  const found = golden.cases.find((candidate) => candidate.name === name);
  if (!found) throw new Error(`no golden case ${name}`);
  return found;
}

/** The value of a flag in a step's command line. */
export function flagOf(step: GoldenStep, flag: string): string | undefined {
  const at = step.cmd.indexOf(flag);
  return at < 0 ? undefined : step.cmd[at + 1];
}
