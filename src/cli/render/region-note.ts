import type { DiskLayout, LayoutRegion } from '../../firmware/index.ts';

/** What else there is to say about a region: slot, data, type, overlaps. */
export function regionNote(region: LayoutRegion, overlapping: ReadonlyMap<number, readonly number[]>): string {
  const others = overlapping.get(region.id);
  return [
    others && `OVERLAPS ${others.join(', ')}`,
    region.slots && `slot ${region.slots.join(', ')}`,
    region.holdsData && 'data',
    region.fileSystem && 'FAT',
    region.expands && 'grows',
    region.type && shortType(region.type),
  ]
    .filter(Boolean)
    .join(', ');
}

/** For each region that overlaps others, their ids. */
export function overlappingRegions({ regions }: DiskLayout): Map<number, number[]> {
  const end = ({ firstBlock, blockCount }: LayoutRegion): number => firstBlock + (blockCount ?? 1);
  const found = new Map<number, number[]>();
  for (const region of regions) {
    const others = regions.filter(
      (other) =>
        other !== region &&
        (other.kind !== 'table' || region.kind !== 'table') &&
        other.firstBlock < end(region) &&
        region.firstBlock < end(other),
    );
    if (others.length > 0) found.set(region.id, others.map(({ id }) => id)); // prettier-ignore
  }
  return found;
}

/** The types that are met in a GPT, by their UUIDs. */
const gptTypes: Record<string, string> = {
  'c12a7328-f81f-11d2-ba4b-00a0c93ec93b': 'EFI system',
  '0fc63daf-8483-4772-8e79-3d69d8477de4': 'Linux',
  '21686148-6449-6e6f-744e-656564454649': 'BIOS boot',
  'ebd0a0a2-b9e5-4433-87c0-68b6b72699c7': 'basic data',
  '0657fd6d-a4ab-43c4-84e5-0933c84b4f4f': 'swap',
  '4f68bce3-e8cd-4db1-96e7-fbcaf984b709': 'root x86-64',
  'b921b045-1df0-41c3-af44-4c6f280d3fae': 'root arm64',
};

function shortType(type: string): string {
  return gptTypes[type.toLowerCase()] ?? (type.startsWith('0x') ? `type ${type}` : type);
}
