/** Where a folder lies on a disk, by what the kernel says of a machine; the machine is made of text files. */
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { blockExtents, type DeviceView } from '../../../src/firmware/apply/block-extent.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

/** A disk 8:0 with the partitions 1 (2048+1000) and 4 (65536+4096), another disk 8:16, and what is built on them. */
async function machine(dir: string): Promise<DeviceView> {
  const put = async (path: string, text: string) => {
    await mkdir(dirname(join(dir, path)), { recursive: true });
    await writeFile(join(dir, path), text);
  };
  const device = async (place: string, number: string, files: Record<string, string>) => {
    await put(`devices/${place}/dev`, `${number}\n`);
    for (const [name, text] of Object.entries(files)) await put(`devices/${place}/${name}`, `${text}\n`);
    await mkdir(join(dir, 'dev/block'), { recursive: true });
    await symlink(join(dir, 'devices', place), join(dir, 'dev/block', number));
  };
  await device('sda', '8:0', { size: '131072' });
  await device('sda/sda1', '8:1', { size: '1000', start: '2048', partition: '1' });
  await device('sda/sda4', '8:4', { size: '4096', start: '65536', partition: '4' });
  await device('sdb', '8:16', { size: '131072' });
  await device('sdb/sdb1', '8:17', { size: '8192', start: '2048', partition: '1' });
  await device('dm-0', '253:0', { size: '9000', 'slaves/sda4/dev': '8:4', 'slaves/sdb1/dev': '8:17' });
  await device('loop0', '7:0', { size: '20000', 'loop/backing_file': '/images/disk.img', 'loop/offset': '0' });
  await device('loop0/loop0p2', '259:2', { size: '500', start: '1500', partition: '2' });
  await device('loop1', '7:1', { size: '600', 'loop/backing_file': '/data/home.img', 'loop/offset': '512' });
  await put(
    'mountinfo',
    [
      '22 1 0:21 / / rw - overlay overlay rw,lowerdir=/ro,upperdir=/data/upper,workdir=/data/work',
      '23 22 0:30 / /run rw - tmpfs tmpfs rw',
      '24 22 0:31 /vol /pool rw - btrfs /dev/sda4 rw,subvol=/vol',
      '25 22 0:32 / /ubi rw - ubifs ubi0:data rw',
      '26 22 0:33 / /strange rw - zfs tank/data rw',
      '',
    ].join('\n'),
  );
  const on: Record<string, string> = {
    '/data': '8:4',
    '/data/upper': '8:4',
    '/data/home.img': '8:4',
    '/mapped': '253:0',
    '/other': '8:17',
    '/image': '259:2',
    '/home': '7:1',
    '/run/flotilla': '0:30',
    '/pool/state': '0:31',
    '/ubi/state': '0:32',
    '/strange/state': '0:33',
    '/etc/state': '0:21',
    '/lost': '9:9',
  };
  const is: Record<string, string> = { '/dev/sda': '8:0', '/dev/sda4': '8:4', '/dev/sdb': '8:16' };
  return {
    sys: dir,
    mountInfo: join(dir, 'mountinfo'),
    look: async (path) => ({
      on: on[path] ?? '0:5',
      ...(is[path] === undefined ? {} : { is: is[path] }),
      file: path,
    }),
  };
}

describe('where a folder lies on a disk', () => {
  const data = { kind: 'extents', extents: [{ firstBlock: 65_536, blockCount: 4_096 }] };
  it.each([
    ['on a partition of it', '/data', '/dev/sda', data],
    [
      'on the destination itself',
      '/data',
      '/dev/sda4',
      { kind: 'extents', extents: [{ firstBlock: 0, blockCount: 4_096 }] },
    ],
    ['in the upper folder of an overlay', '/etc/state', '/dev/sda', data],
    ['on btrfs, which has no device of its own', '/pool/state', '/dev/sda', data],
    ['mapped over two disks', '/mapped', '/dev/sda', data],
    [
      'mapped over two disks, as the other sees it',
      '/mapped',
      '/dev/sdb',
      { kind: 'extents', extents: [{ firstBlock: 2_048, blockCount: 8_192 }] },
    ],
    [
      'in an image that a loop device shows',
      '/image',
      '/images/disk.img',
      { kind: 'extents', extents: [{ firstBlock: 1_500, blockCount: 500 }] },
    ],
    ['in an image on a partition of it', '/home', '/dev/sda', data],
    ['on another disk', '/other', '/dev/sda', { kind: 'elsewhere' }],
    ['on another partition than the destination', '/other', '/dev/sda4', { kind: 'elsewhere' }],
    ['in memory', '/run/flotilla', '/dev/sda', { kind: 'elsewhere' }],
    ['in raw flash', '/ubi/state', '/dev/sda', { kind: 'elsewhere' }],
    ['on what is not known', '/strange/state', '/dev/sda', { kind: 'unknown' }],
    ['on a device that sysfs does not show', '/lost', '/dev/sda', { kind: 'unknown' }],
  ])('%s', async (_what, path, disk, found) => {
    await using dir = await temporaryDirectory();
    expect(await blockExtents(path, disk, await machine(dir.path))).toEqual(found);
  });

  it('is said of this machine as well', async () => {
    await using dir = await temporaryDirectory();
    await writeFile(join(dir.path, 'disk.img'), 'x');
    expect(['elsewhere', 'unknown']).toContain((await blockExtents(dir.path, join(dir.path, 'disk.img'))).kind);
  });
});
