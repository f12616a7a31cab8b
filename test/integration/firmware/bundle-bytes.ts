import { crc32 } from 'node:zlib';
import { readPrivateKey, signMetaConf } from '../../../src/firmware/archive/key.ts';

/** The members of an archive without its central directory and what follows it. */
export function withoutDirectory(archive: Buffer): Buffer {
  const start = archive.indexOf(Buffer.from('PK\x01\x02', 'latin1'));
  return start < 0 ? archive : archive.subarray(0, start);
}

/** The archive with a stored signature member in front, whatever its own shape is. */
export async function withSignature(archive: Buffer, metaConf: Buffer, privateKeyPath: string): Promise<Buffer> {
  return Buffer.concat([
    storedMember('meta.conf.ed25519', signMetaConf(metaConf, await readPrivateKey(privateKeyPath))),
    archive,
  ]);
}

export function storedMember(name: string, data: Buffer): Buffer {
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(10, 4);
  header.writeUInt32LE(crc32(data), 14);
  header.writeUInt32LE(data.length, 18);
  header.writeUInt32LE(data.length, 22);
  header.writeUInt16LE(name.length, 26);
  return Buffer.concat([header, Buffer.from(name, 'latin1'), data]);
}
