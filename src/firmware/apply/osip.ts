import { parseBlockNumber } from '../config/call-spec.ts';
import type { Section } from '../config/section.ts';
import { configError } from '../config/source-text.ts';

const headerBytes = 32;
const imageBytes = 24;
const maxImages = 16;

/**
 * Intel's OS image profile in front of the partition table: `$OS$`, 0, minor, major, checksum (XOR of all header
 * bytes), pointers, images, u16 size, 20 zeros; then for each image u16 minor, u16 major, u32 start block,
 * u32 load address, u32 entry point, u32 blocks, u8 attribute, 3 zeros.
 */
export function encodeOsip(section: Section, bytes: number): Buffer {
  const images = section.all('osii').map((image) => {
    const index = parseBlockNumber(image.title) ?? maxImages;
    if (index >= maxImages) throw configError(image.place, 'osii must be numbered 0 through 15');
    return { index, image };
  });
  const count = Math.max(0, ...images.map(({ index }) => index + 1));
  const size = headerBytes + imageBytes * count;
  const out = Buffer.alloc(bytes);
  out.write('$OS$', 0, 'latin1');
  out.writeUInt8(inRange(section, 'osip-minor', 0xff), 5);
  out.writeUInt8(inRange(section, 'osip-major', 0xff), 6);
  out.writeUInt8(inRange(section, 'osip-num-pointers', 0xff), 8);
  out.writeUInt8(count, 9);
  out.writeUInt16LE(size, 10);
  for (const { index, image } of images) {
    const at = headerBytes + imageBytes * index;
    out.writeUInt16LE(inRange(image, 'os-minor', 0xffff), at);
    out.writeUInt16LE(inRange(image, 'os-major', 0xffff), at + 2);
    out.writeUInt32LE(inRange(image, 'start-block-offset', 0xffff_ffff), at + 4);
    out.writeUInt32LE(inRange(image, 'ddr-load-address', 0xffff_ffff), at + 8);
    out.writeUInt32LE(inRange(image, 'entry-point', 0xffff_ffff), at + 12);
    out.writeUInt32LE(inRange(image, 'image-size-blocks', 0xffff_ffff), at + 16);
    out.writeUInt8(inRange(image, 'attribute', 0xff), at + 20);
  }
  out[7] = out.subarray(0, size).reduce((sum, byte) => sum ^ byte, 0);
  return out;
}

function inRange(section: Section, option: string, max: number): number {
  const value = section.integer(option) ?? 0;
  if (value >= 0 && value <= max) return value;
  throw configError(section.placeOf(option), `${option} is out of range`, { expected: `0 to ${max}` });
}
