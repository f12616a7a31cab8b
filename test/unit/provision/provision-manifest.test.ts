import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../../src/config/problem.ts';
import { parseProvisionManifest } from '../../../src/provision/provision-manifest.ts';

function problemsOf(source: string, file: string): string[] {
  try {
    parseProvisionManifest(source, file);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ line, message }) => `${line} ${message}`);
    throw error;
  }
  return [];
}

describe('parseProvisionManifest', () => {
  it('reads YAML with defaults, and CSV', () => {
    const yaml = `
defaults: { user: tech, identity: /k, tags: { site: harbour } }
devices:
  - host: 10.0.0.7
    id: m-7
  - host: admin@m-8.lan:2222
    jump: gate@site.example
    hostKey: SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU
    tags: { site: depot }
    grains: { line: 4 }
    pending: yes
`;
    expect(parseProvisionManifest(yaml, 'f.yaml')).toEqual([
      {
        host: '10.0.0.7',
        port: 22,
        user: 'tech',
        deviceId: 'm-7',
        pending: false,
        tags: { site: 'harbour' },
        grains: {},
        identityFile: '/k',
      },
      {
        host: 'm-8.lan',
        port: 2222,
        user: 'tech',
        deviceId: 'm-8',
        pending: true,
        tags: { site: 'depot' },
        grains: { line: '4' },
        identityFile: '/k',
        jump: 'gate@site.example',
        hostKey: 'SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU',
      },
    ]);
    expect(parseProvisionManifest('host,id,port,tag.ring\nh1,m-1,2200,canary\n', 'f.csv')).toEqual([
      {
        host: 'h1',
        port: 2200,
        user: undefined,
        deviceId: 'm-1',
        pending: false,
        tags: { ring: 'canary' },
        grains: {},
      },
    ]);
  });

  it('tells all problems at once, with their lines', () => {
    const source = `host,id,port,hostKey,colour
h1,m-1,22,,x
h1,m-2,22,,x
h3,m-1,0,abc,x
-oProxyCommand=sh,M 4,22,,x
10.0.0.5,,22,,x
`;
    expect(problemsOf(source, 'f.csv')).toEqual([
      '1 unknown column colour',
      '3 this host stands here twice, first in line 2',
      '4 id stands here twice, first in line 2',
      '4 this is no port',
      '4 this is no fingerprint of a host key',
      '5 this is no host',
      '5 this is no device id',
      '6 this is no device id',
    ]);
    expect(problemsOf('defaults: 1\ndevice: []\ndevices:\n  - id: a\n', 'f.yaml')).toEqual([
      '1 defaults must be a map',
      '2 unknown key device',
      '4 host is missing',
    ]);
  });
});
