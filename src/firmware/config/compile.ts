import { readFileSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { FlotillaError, systemErrorCode, type Position } from '../../error.ts';
import { gptTable } from '../apply/gpt.ts';
import { mbrTable } from '../apply/mbr.ts';
import { ubootLayout } from '../apply/uboot-environment.ts';
import { checkFwupVersion } from './fwup-version.ts';
import { parseConfig } from './parse.ts';
import { checkResourceName } from './resource.ts';
import type { Section } from './section.ts';
import { configError, fromByteString, positionOf, toByteString, type ByteString, type Place, type SourceText } from './source-text.ts'; // prettier-ignore
import { checkTaskCalls } from './support.ts';
import { VariableSet, type DefineListener } from './variable.ts';

export interface CompileOption {
  configPath: string;
  /** The text of the configuration, where it is not read from `configPath`: then that is only its name. */
  configText?: ByteString;
  /** What `${NAME}` means, before the file's own defines; these win over `define`, not over `define!`. */
  variables?: Readonly<Record<string, string | undefined>>;
  /** Where FWUP_SIZE_… and bootstrap-code-host-path start; by default the folder of the configuration. */
  workingDirectory?: string;
  onDefine?: DefineListener;
}

/** A configuration read from disk and checked; resources are not read yet. */
export interface CompiledConfig {
  readonly root: Section;
  /** Accepted, as fwup does, though probably not meant. */
  readonly warnings: readonly { message: string; position: Position }[];
}

const maxConfigBytes = 4 * 1024 * 1024;
const bootCodeBytes = 440;

export function compileConfig(option: CompileOption): CompiledConfig {
  const source = option.configText === undefined ? readConfig(option.configPath) : textSource(option);
  const workingDirectory = option.workingDirectory ?? source.directory;
  // Stand for themselves, so that they resolve on the device.
  const identity = { FWUP_META_UUID: '${FWUP_META_UUID}', FWUP_META_NICKNAME: '${FWUP_META_NICKNAME}' };
  const variables = new VariableSet({ ...option.variables, ...identity }, option.onDefine);
  const warnings: { message: string; position: Position }[] = [];
  const root = parseConfig(source, {
    variables,
    include: (path, place) => readInclude(path, place),
    unknown: (name, kind, section, place) => {
      throw unknownName(name, kind, section, place);
    },
    unclosed: (section, place) =>
      warnings.push({
        message: `the file ends inside ${section.kind} ${fromByteString(section.title)}`.trim(),
        position: positionOf(place),
      }),
    sectionClosed: (section, whole) => closeSection(section, whole, variables, workingDirectory),
  });
  return { root, warnings };
}

function readConfig(path: string): SourceText {
  return readSource(path, path, (error) => {
    throw new FlotillaError('usage', 'firmware-config-unreadable', `cannot read the configuration ${path}`, {
      seen: error.message,
      cause: error,
      fwup: `Error opening configuration file '${path}'`,
    });
  });
}

/** Bytes that came from elsewhere (standard input): paths in them start in the working directory. */
function textSource({ configPath, configText = '', workingDirectory = '.' }: CompileOption): SourceText {
  return { name: configPath, directory: resolve(workingDirectory), text: configText, origin: 'file' };
}

function readSource(path: string, name: string, fail: (error: Error) => never): SourceText {
  try {
    const stat = statSync(path);
    if (!stat.isFile()) throw new Error('not a regular file');
    if (stat.size > maxConfigBytes) throw new Error(`larger than ${maxConfigBytes} bytes`);
    const text = readFileSync(path, 'latin1');
    return { name, directory: dirname(resolve(path)), text, origin: 'file' };
  } catch (error) {
    return fail(error as Error);
  }
}

function readInclude(path: ByteString, place: Place): SourceText {
  const shown = fromByteString(path);
  const name = isAbsolute(shown) ? shown : join(dirname(place.source.name), shown);
  return readSource(hostPath(path, place.source.directory), name, (error) => {
    const missing = systemErrorCode(error) === 'ENOENT';
    throw configError(place, `cannot include '${shown}': ${missing ? 'file not found' : error.message}`, {
      cause: error,
      fwup: `Cannot include '${shown}': ${missing ? 'File not found' : 'Not a regular file'}`,
    });
  });
}

/** `/` or `~` first: as it is (fwup does not expand `~`); else below `directory`. */
export function hostPath(path: ByteString, directory: string): string {
  const text = fromByteString(path);
  return isAbsolute(text) || text.startsWith('~') ? text : resolve(directory, text);
}

function unknownName(name: ByteString, kind: string, section: Section, place: Place): Error {
  const { options, sections } = section.spec;
  const known = [...options.map((option) => option.name), ...sections.map((spec) => spec.kind)];
  return configError(place, `no such ${kind === 'call' ? 'function' : 'option'} '${fromByteString(name)}'`, {
    expected: `in ${section.kind}: ${known.filter((item) => item !== 'reqlist' && item !== 'funlist').join(', ')}`,
  });
}

/** Checks a section against what stands before it, as soon as it is complete. */
function closeSection(section: Section, root: Section, variables: VariableSet, workingDirectory: string): void {
  switch (section.kind) {
    case 'configuration':
      checkFwupVersion(root);
      return;
    case 'file-resource':
      checkFileResource(section);
      defineSize(section, variables, workingDirectory);
      return;
    case 'mbr':
      readBootCode(section, workingDirectory);
      mbrTable(section);
      return;
    case 'gpt':
      gptTable(section);
      return;
    case 'uboot-environment':
      ubootLayout(section);
      return;
    case 'on-resource':
      nameFatFiles(section);
      if (root.find('file-resource', section.title)) return;
      throw configError(section.place, `unknown resource: ${fromByteString(section.title)}`, {
        expected: 'a file-resource of that name before the task',
      });
    case 'task':
      checkTaskCalls(section, root);
  }
}

/** fat_write(BLOCK) writes to a file of the resource's name; meta.conf says so, as older devices need it. */
function nameFatFiles(section: Section): void {
  section.calls.forEach((call, index) => {
    if (call.name !== 'fat_write' || call.args.length !== 1) return;
    section.calls[index] = { ...call, args: [...call.args, section.title] };
  });
}

function checkFileResource(section: Section): void {
  const name = fromByteString(section.title);
  checkResourceName(section);
  if (section.has('host-path') && section.has('contents')) {
    throw configError(section.place, `only one of host-path or contents should be set for file-resource '${name}'`);
  }
  if (!section.has('host-path') && !section.has('contents')) {
    throw configError(section.place, `host-path or contents must be set for file-resource '${name}'`);
  }
}

/** FWUP_SIZE_name, from one file below the working directory; not set if there is none. */
function defineSize(section: Section, variables: VariableSet, workingDirectory: string): void {
  const path = section.text('host-path');
  if (path === undefined) return;
  const stat = statSync(hostPath(path, workingDirectory), { throwIfNoEntry: false });
  if (stat) variables.set(`FWUP_SIZE_${section.title.replace(/[-/.]/g, '_')}`, toByteString(String(stat.size)));
}

function readBootCode(section: Section, workingDirectory: string): void {
  const path = section.text('bootstrap-code-host-path');
  if (path === undefined) return;
  const place = section.placeOf('bootstrap-code-host-path');
  try {
    const code = readFileSync(hostPath(path, workingDirectory)).subarray(0, bootCodeBytes);
    if (code.length < bootCodeBytes) throw new Error(`${code.length} bytes, at least ${bootCodeBytes} are needed`);
    section.set('bootstrap-code', code.toString('hex'), place);
  } catch (error) {
    throw configError(place, `cannot use '${fromByteString(path)}' as boot code`, { seen: (error as Error).message });
  }
}
