import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../config/package-root.ts';

/** The kinds of board that there is a starter for; folders of templates/fwup. */
export const firmwareBoards = ['raspberry-pi', 'x86-gpt', 'uboot-ab'] as const;
export type FirmwareBoard = (typeof firmwareBoards)[number];

export const ciSystems = ['github', 'gitlab', 'shell'] as const;
export type CiSystem = (typeof ciSystems)[number];

/** A file to be made, with its path below the project. */
export interface StarterFile {
  path: string;
  text: string;
  /** What it is, for a person. */
  what: string;
}

const boardFiles: Record<string, string> = {
  'fwup.conf': 'layout, resources and tasks',
  'grub.cfg': 'what GRUB boots: the slot that slot.cfg names',
};

/** fwup.conf first, then what it needs beside it. */
export async function boardStarter(board: FirmwareBoard): Promise<StarterFile[]> {
  const folder = join(packageRoot(), 'templates', 'fwup', board);
  const names = (await readdir(folder)).toSorted((a, b) => Number(b === 'fwup.conf') - Number(a === 'fwup.conf'));
  return Promise.all(
    names.map(async (path) => ({
      path,
      text: await readFile(join(folder, path), 'utf8'),
      what: boardFiles[path] ?? 'part of the bundle',
    })),
  );
}

/** Where each system looks for its pipeline. */
const pipelines: Record<Exclude<CiSystem, 'shell'>, { template: string; path: string }> = {
  github: { template: 'github.yml', path: join('.github', 'workflows', 'firmware-release.yml') },
  gitlab: { template: 'gitlab.yml', path: '.gitlab-ci.yml' },
};

/** The script that does the work, and for GitHub and GitLab the pipeline that calls it. */
export async function ciStarter(system: CiSystem): Promise<StarterFile[]> {
  const read = (name: string) => readFile(join(packageRoot(), 'templates', 'ci', name), 'utf8');
  const script = {
    path: join('ci', 'release-firmware.sh'),
    text: await read('release-firmware.sh'),
    what: 'builds, signs, verifies and publishes the tag that is checked out',
  };
  if (system === 'shell') return [script];
  const { template, path } = pipelines[system];
  return [{ path, text: await read(template), what: 'runs the script for every tag v1.2.3' }, script];
}
