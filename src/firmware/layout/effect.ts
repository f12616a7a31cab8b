import { parseBlockNumber } from '../config/call-spec.ts';
import type { Call, Section } from '../config/section.ts';
import type { ByteString } from '../config/source-text.ts';
import { blockBytes, rangeOf, type BlockRange } from './block-range.ts';

/** How many bytes a resource has, as far as it is known before it is read. */
export interface ResourceSize {
  readonly bytes?: number;
  /** From assert-size-lte, where the file itself is not there. */
  readonly atMostBytes?: number;
}
export type ResourceSizes = ReadonlyMap<ByteString, ResourceSize>;

/** What one action changes. Arguments that can't be read, such as run-time variables, leave a member out. */
export type Effect =
  | { readonly kind: 'data'; readonly range: BlockRange }
  | { readonly kind: 'fill' | 'trim' | 'format'; readonly range: BlockRange }
  | {
      readonly kind: 'file';
      readonly fatBlock: number;
      /** Lower case, slashes only, none at the start. */
      readonly path: string;
      readonly change: 'data' | 'copy' | 'remove' | 'directory' | 'other';
      /** Where a copy comes from; the resource of data. */
      readonly from?: string;
    }
  | { readonly kind: 'table'; readonly table: 'mbr' | 'gpt'; readonly name: ByteString }
  | {
      readonly kind: 'environment';
      readonly environment: ByteString;
      readonly change: 'set' | 'unset' | 'clear' | 'recover';
      readonly variable?: ByteString;
      readonly value?: ByteString;
    }
  | { readonly kind: 'outside'; readonly unsafe: boolean }
  | { readonly kind: 'stop' };

/** FAT names compare without case; fwup takes both separators. */
export function fatPath(path: ByteString): string {
  return path.toLowerCase().replaceAll('\\', '/').replace(/^\/+/, '');
}

/** Actions that read the resource's data: the first one in an on-resource gets it. */
export const dataActions: ReadonlySet<string> = new Set([
  'raw_write',
  'fat_write',
  'path_write',
  'pipe_write',
  'ubi_volume_write',
]);

export function effectsOf(call: Call, resource: Section | undefined, sizes: ResourceSizes): Effect[] {
  const [first, second, third, fourth] = call.args;
  const count = second === undefined ? undefined : parseBlockNumber(second);
  switch (call.name) {
    case 'raw_write': {
      const bytes = sizes.get(resource?.title ?? '')?.bytes;
      return ranged('data', rangeOf(first, bytes === undefined ? undefined : Math.ceil(bytes / blockBytes)));
    }
    case 'raw_memset':
      return ranged('fill', rangeOf(first, count));
    case 'trim':
      return ranged('trim', rangeOf(first, count));
    case 'fat_mkfs':
      return ranged('format', rangeOf(first, count));
    case 'fat_write':
      return file(first, second ?? resource?.title, 'data', resource?.title);
    case 'fat_cp':
      return fourth === undefined ? file(first, third, 'copy', second) : file(third, fourth, 'copy', second);
    case 'fat_mv':
    case 'fat_mv!':
      return [...file(first, second, 'remove'), ...file(first, third, 'copy', second)];
    case 'fat_rm':
    case 'fat_rm!':
      return file(first, second, 'remove');
    case 'fat_mkdir':
      return file(first, second, 'directory');
    case 'fat_attrib':
    case 'fat_touch':
      return file(first, second, 'other');
    case 'mbr_write':
    case 'gpt_write':
      return [{ kind: 'table', table: call.name === 'mbr_write' ? 'mbr' : 'gpt', name: first ?? '' }];
    case 'uboot_clearenv':
      return [{ kind: 'environment', environment: first ?? '', change: 'clear' }];
    case 'uboot_recover':
      return [{ kind: 'environment', environment: first ?? '', change: 'recover' }];
    case 'uboot_setenv':
      return [{ kind: 'environment', environment: first ?? '', change: 'set', variable: second ?? '', value: third ?? '' }]; // prettier-ignore
    case 'uboot_unsetenv':
      return [{ kind: 'environment', environment: first ?? '', change: 'unset', variable: second ?? '' }];
    case 'path_write':
    case 'pipe_write':
    case 'ubi_volume_write':
    case 'execute':
      return [{ kind: 'outside', unsafe: true }];
    case 'reboot_param':
      return [{ kind: 'outside', unsafe: false }];
    case 'error':
      return [{ kind: 'stop' }];
    default:
      return []; // info, fat_setlabel, and what a newer fwup may know
  }
}

function ranged(kind: 'data' | 'fill' | 'trim' | 'format', range: BlockRange | undefined): Effect[] {
  return range === undefined ? [] : [{ kind, range }];
}

function file(
  fat: ByteString | undefined,
  path: ByteString | undefined,
  change: (Effect & { kind: 'file' })['change'],
  from?: ByteString,
): Effect[] {
  const fatBlock = fat === undefined ? undefined : parseBlockNumber(fat);
  if (fatBlock === undefined || path === undefined) return [];
  const source = from === undefined ? {} : { from: change === 'data' ? from : fatPath(from) };
  return [{ kind: 'file', fatBlock, path: fatPath(path), change, ...source }];
}
