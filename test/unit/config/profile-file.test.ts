import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type ConfigError, parseProfiles } from '../../../src/config/index.ts';
import { chooseProfile } from '../../../src/config/profile-file.ts';
import { defaultProfiles, fitDeviceRequest, templateProblem } from '../../../src/pki/index.ts';
import { top } from '../../support/cli.ts';

const problemsOf = (yaml: string): string[] => {
  try {
    parseProfiles(yaml, 'profiles.yaml');
    return [];
  } catch (error) {
    return (error as ConfigError).problems.map(({ line, message }) => `${line}: ${message}`);
  }
};

describe('profiles.yaml', () => {
  it('as init writes it holds the defaults', async () => {
    const text = await readFile(join(top, 'templates', 'profiles.yaml'), 'utf8');
    expect(parseProfiles(text, 'profiles.yaml')).toEqual(defaultProfiles);
    // What is commented out at its end is an example that works.
    const [head, tail = ''] = text.split(/^(?= {2}# acme:$)/m);
    const example = head + tail.replaceAll(/^ {2}# /gm, '  ');
    expect(chooseProfile(parseProfiles(example, 'p'), 'registered', 'acme')).toMatchObject({
      tags: { vendor: 'acme' },
    });
  });

  it('keeps what a profile does not say at its default', () => {
    const profiles = parseProfiles('profiles:\n  short:\n    kind: device\n    validityDays: 30\n', 'p');
    expect(profiles['short']).toEqual({ ...defaultProfiles.device, validityDays: 30 });
    expect(profiles['device']).toEqual(defaultProfiles.device);
  });

  it.each([
    ['profiles:\n  a:\n    kind: devise\n', '3: profiles.a.kind is not valid'],
    ['profiles:\n  a:\n    validityDays: 3\n', '3: profiles.a.kind is not valid'],
    ['profiles:\n  a:\n    kind: device\n    validtyDays: 3\n', '4: unknown key profiles.a.validtyDays'],
    ['profiles:\n  a:\n    kind: device\n    keyKinds: [ec-p521]\n', '4: profiles.a.keyKinds[0] is not valid'],
    [
      'profiles:\n  a:\n    kind: device\n    validityDays: 9\n    maxValidityDays: 8\n',
      '3: profiles.a.validityDays is more than maxValidityDays',
    ],
    [
      'profiles:\n  a:\n    kind: device\n    extendedKeyUsage: [serverAuth]\n',
      '4: profiles.a.extendedKeyUsage is not valid',
    ],
    [
      'profiles:\n  a:\n    kind: device\n    extraNames: ["DNS:*.flotilla"]\n',
      '4: profiles.a.extraNames[0] is not valid',
    ],
    [
      'profiles:\n  device:\n    kind: registered\n    deviceId: x-{cn}\n',
      '2: profiles.device has to be of the kind device',
    ],
    ['profiles:\n  a:\n    kind: registered\n', '3: profiles.a.deviceId is missing'],
    ['profiles:\n  a:\n    kind: registered\n    deviceId: fixed\n', '4: profiles.a.deviceId is not valid'],
    ['profiles:\n  a:\n    kind: coordinator\n    validityDays: 9\n', '4: unknown key profiles.a.validityDays'],
  ])('%j is refused with its line', (yaml, problem) => {
    expect(problemsOf(yaml)).toEqual([problem]);
  });
});

describe('a template of device ids', () => {
  it.each(['{cn}', 'acme-{serialNumber}', '{o}.{cn}'])('%s is taken', (text) => {
    expect(templateProblem(text)).toBeUndefined();
  });
  it.each(['', 'fixed', '{CN}', '{cn', 'A-{cn}', '-{cn}', 'a/{cn}', '{cn}{password}'])('%s is not', (text) => {
    expect(templateProblem(text)).toBeTypeOf('string');
  });
});

describe('a request and its profile', () => {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const profile = {
    ...structuredClone(defaultProfiles.device),
    maxValidityDays: 400,
    extraNames: ['DNS:{deviceId}.example.org', 'DNS:*.site.example.org', 'IP:192.0.2.7'],
  } as never;
  const fit = (names: string[], days?: number) =>
    fitDeviceRequest('p', profile, { deviceId: 'd-1', publicKey, names, days, reserved: ['fleet.site.example.org'] });

  it('agree on days and names', () => {
    expect(fit(['DNS:d-1.example.org', 'DNS:x.site.example.org', 'IP:192.0.2.7'], 400)).toMatchObject({
      validityDays: 400,
      names: ['DNS:d-1.example.org', 'DNS:x.site.example.org', 'IP:192.0.2.7'],
    });
    expect(fit([]).validityDays).toBe(365);
  });

  it.each([
    'DNS:d-2.example.org',
    'DNS:a.b.site.example.org',
    'DNS:.site.example.org',
    'DNS:fleet.site.example.org', // the coordinator's own
    'DNS:*.site.example.org',
    'IP:192.0.2.8',
    'URI:flotilla://f/device/d-2',
    'd-1.example.org',
  ])('%s is refused', (name) => {
    expect(() => fit([name])).toThrow(
      expect.objectContaining({ code: 'certificate-profile', fault: 'refused' }) as Error,
    );
  });

  it('do not agree on more days, or another key', () => {
    expect(() => fit([], 401)).toThrow(expect.objectContaining({ code: 'certificate-profile' }) as Error);
    const weak = generateKeyPairSync('ec', { namedCurve: 'P-521' }).publicKey;
    expect(() => fitDeviceRequest('p', profile, { deviceId: 'd-1', publicKey: weak, reserved: [] })).toThrow(
      expect.objectContaining({ code: 'certificate-profile' }) as Error,
    );
  });
});
