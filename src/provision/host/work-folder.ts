/**
 * Where provisioning works on a host. There is one such folder, and who makes it has the host: two technicians never
 * work on one at a time. One whose run has died half way is taken over, with all that is in it.
 */
import { randomBytes } from 'node:crypto';
import { FlotillaError } from '../../error.ts';
import { shellQuote } from '../ssh/shell-quote.ts';
import type { SshSession } from '../ssh/ssh-session.ts';
import { beatName, freshName, undoSuffix } from './guard.ts';
import { must } from './upload.ts';

/** Root's, and on a disk: it is there after a restart of the host as well, and nobody else can make it. */
export const workRoot = '/var/lib/flotilla-provision';

/** A run that lives is heard of every two seconds; one that is silent for so long is dead. */
const deadSeconds = 8;
const whoName = 'who';

export interface WorkFolder {
  /** For this run alone, the login user's. */
  path: string;
  /** The run that died here had installed, where nothing was before. */
  wasFresh: boolean;
}

/** @param who as the loser of a race is told. @throws FlotillaError `host-busy`, `host-command-failed` */
export async function claimWorkFolder(session: SshSession, who: string): Promise<WorkFolder> {
  const path = `${workRoot}/${randomBytes(8).toString('hex')}`;
  const ran = await session.runAsRoot(claimLine(path, who));
  const [answer = '', detail = ''] = ran.stdout.trim().split('\t');
  if (answer === 'claimed') return { path, wasFresh: detail === freshName };
  if (answer === 'busy') {
    throw new FlotillaError('refused', 'host-busy', 'somebody else is provisioning this host', {
      seen: detail || 'a run that is alive',
      suggestion: 'wait for its end, and repeat the command',
    });
  }
  await must({ run: () => Promise.resolve({ ...ran, exitCode: ran.exitCode || 1 }) }, `make ${workRoot}`, {});
  throw new Error('must throws');
}

/** Gives the host back. */
export function releaseLine(path: string): string {
  return `rm -rf ${shellQuote([path])}; rmdir ${workRoot} 2>/dev/null`;
}

/**
 * `mkdir` tells who was first, `mv` who was first to take over. Names are the runs'; a changed beat of the same run
 * says that it is alive. A guard that takes a dead run back is waited for.
 */
function claimLine(path: string, who: string): string {
  const program = `
lock=$1 mine=$2 holder=/ silence=0
mkdir -p "\${lock%/*}"
claimed() {
  chown -R "\${SUDO_UID:-0}" "$mine" && printf '%s\\n' "$3" > "$mine/${whoName}"
  if [ -e "$mine/${freshName}" ]; then printf 'claimed\\t${freshName}\\n'; else printf 'claimed\\n'; fi
  exit 0
}
for second in $(seq 60); do
  if mkdir -m 711 "$lock" 2>/dev/null; then mkdir -m 700 "$mine" && claimed "$@"; fi
  [ -d "$lock" ] || mkdir "$lock" || exit 1
  now=$(ls "$lock" | head -n 1)
  beat=$(cat "$lock/$now/${beatName}" 2>/dev/null)
  if [ "$now" != "$holder" ]; then
    holder=$now last=$beat silence=0
  elif [ "$beat" != "$last" ]; then
    case $now in *${undoSuffix}) last=$beat silence=0 ;; *) break ;; esac
  else
    silence=$((silence + 1))
  fi
  if [ "$silence" -ge ${deadSeconds} ]; then
    if [ -z "$now" ]; then
      mkdir -m 700 "$mine" && [ "$(ls "$lock" | wc -l)" -eq 1 ] && claimed "$@"
      rmdir "$mine"
    elif mv "$lock/$now" "$mine" 2>/dev/null; then
      claimed "$@"
    fi
  fi
  sleep 1
done
printf 'busy\\t%s\\n' "$(head -n 1 "$lock/$holder/${whoName}" 2>/dev/null | cut -c1-200)"
`;
  return shellQuote(['sh', '-c', program, 'flotilla-claim', workRoot, path, who.replaceAll(/[^\w@.-]/g, '?')]);
}
