/** What a host is and has: asked by one script that writes nothing, in the shell that every Unix has. */
import { FlotillaError } from '../../error.ts';
import { deviceLayout } from '../../device/layout.ts';
import { workRoot } from './work-folder.ts';

export interface HostFacts {
  hostname: string;
  /** As `uname -m` says: `x86_64`, `aarch64`. */
  machine: string;
  libc: 'glibc' | 'musl';
  /** Of glibc, where it tells. */
  libcVersion?: string;
  init: string;
  /** Programs that may run the agent. */
  nodes: { path: string; version: string }[];
  /** Where programs are unpacked, and where they are installed; one entry where both are on one disk. */
  free: { path: string; bytes: number }[];
  /** A run is at work there, or has died half way. */
  isClaimed: boolean;
  /** The host's clock against ours. */
  clockOffsetMs: number;
  installed: InstalledFacts;
}

export interface InstalledFacts {
  /** SHA-256, hex, by path; absent: there is no such file. */
  digests: Readonly<Record<string, string>>;
  certificatePem?: string;
  serviceActive: boolean;
}

export const grainsPath = `${deviceLayout.configuration}/grains.yaml`;
const certificatePath = `${deviceLayout.identity}/device.crt`;
const watched = [deviceLayout.agentFile, deviceLayout.runtime, deviceLayout.config, grainsPath];

export const probeScript = `
put() { printf '%s=%s\\n' "$1" "$2"; }
put system "$(uname -s)"
put machine "$(uname -m)"
put hostname "$(uname -n)"
put time "$(date +%s)"
if ls /lib/ld-musl-* >/dev/null 2>&1; then put libc musl; else put libc glibc; fi
put libcVersion "$(getconf GNU_LIBC_VERSION 2>/dev/null | cut -d' ' -f2)"
for init in systemd openrc-run procd; do
  for folder in /lib/systemd /usr/lib/systemd /sbin /usr/sbin; do
    [ -x "$folder/$init" ] && put init "$init" && break 2
  done
done
for node in ${deviceLayout.runtime} /usr/bin/node /usr/local/bin/node; do
  [ -x "$node" ] && put node "$node $("$node" --version 2>/dev/null)"
done
df -Pk /var/lib /usr | awk 'NR > 1 && !seen[$1 $6]++ { print "free=" (NR == 2 ? "/var/lib" : "/usr") " " $4 }'
[ -d ${workRoot} ] && put claimed yes
for file in ${watched.join(' ')}; do
  [ -r "$file" ] && put sha256 "$file $(sha256sum < "$file" | cut -c1-64)"
done
[ -r ${certificatePath} ] && put certificate "$(base64 < ${certificatePath} | tr -d '\\n')"
command -v systemctl >/dev/null && put service "$(systemctl is-active flotilla-agent 2>/dev/null)"
true
`;

export function parseHostFacts(output: string, nowMs: number): HostFacts {
  const values = new Map<string, string[]>();
  for (const line of output.split('\n')) {
    const at = line.indexOf('=');
    if (at < 1) continue;
    const name = line.slice(0, at);
    values.set(name, [...(values.get(name) ?? []), line.slice(at + 1).trim()]);
  }
  const one = (name: string): string => values.get(name)?.[0] ?? '';
  if (one('system') !== 'Linux') {
    throw new FlotillaError('refused', 'host-unfit', 'the agent runs on Linux only', {
      seen: one('system') || 'no answer that can be read',
      expected: 'Linux',
    });
  }
  const libcVersion = one('libcVersion');
  const certificate = one('certificate');
  return {
    hostname: one('hostname'),
    machine: one('machine'),
    libc: one('libc') === 'musl' ? 'musl' : 'glibc',
    ...(libcVersion === '' ? {} : { libcVersion }),
    init: one('init') || 'other',
    nodes: (values.get('node') ?? []).flatMap((text) => {
      const [path = '', version = ''] = text.split(' ');
      return version.startsWith('v') ? [{ path, version: version.slice(1) }] : [];
    }),
    free: (values.get('free') ?? []).map((text) => {
      const [path = '', kibibytes] = text.split(' ');
      return { path, bytes: Number(kibibytes) * 1024 };
    }),
    isClaimed: one('claimed') === 'yes',
    clockOffsetMs: Number(one('time') || '0') * 1000 - nowMs,
    installed: {
      digests: Object.fromEntries((values.get('sha256') ?? []).map((text) => text.split(' ') as [string, string])),
      ...(certificate === '' ? {} : { certificatePem: Buffer.from(certificate, 'base64').toString('utf8') }),
      serviceActive: one('service') === 'active',
    },
  };
}
