import { describe, expect, it } from 'vitest';
import { fwupApplyArgv, fwupBuildArgv, fwupSignArgv, fwupVerifyArgv } from '../../../src/firmware/fwup-argv.ts';

const key = Buffer.alloc(32, 1);

describe('command lines for fwup', () => {
  it('build', () => {
    expect(fwupBuildArgv({ configPath: 'a b.conf', outputPath: 'o.fw' })).toEqual([
      '-c',
      '-f',
      'a b.conf',
      '-o',
      'o.fw',
    ]);
    expect(
      fwupBuildArgv({ configPath: 'c', outputPath: 'o', privateKeyPath: 'k', compressionLevel: 1 }).slice(-3),
    ).toEqual(['-s', 'k', '-1']);
  });

  it('sign', () => {
    expect(fwupSignArgv('in', 'out', 'key')).toEqual(['-S', '-i', 'in', '-o', 'out', '-s', 'key']);
  });

  it('verify with every key', () => {
    expect(fwupVerifyArgv('f', [key, key]).filter((argument) => argument === '--public-key')).toHaveLength(2);
    expect(fwupVerifyArgv('f', [key]).at(-1)).toBe(key.toString('base64'));
  });

  it('apply: never unsafe, keys always', () => {
    const argv = fwupApplyArgv({
      path: 'f',
      destinationPath: 'd',
      task: 't',
      publicKeys: [key],
      destinationSizeBytes: 5000,
    });
    expect(argv).not.toContain('--unsafe');
    expect(argv).toContain('--public-key');
    expect(argv.slice(-2)).toEqual(['--max-size', '9']);
  });
});
