/**
 * A host that loses its line half way must not keep half an installation: a small program on the host itself, started
 * before anything else, takes everything back when nobody has been heard of for a while.
 */
import { deviceLayout } from '../../device/layout.ts';
import { shellQuote } from '../ssh/shell-quote.ts';
import type { SshSession } from '../ssh/ssh-session.ts';
import { must } from './upload.ts';

const beatMs = 2_000;

/** What the guard knows by: names in the work folder. Another number in it: somebody is there. */
export const beatName = 'beat';
/** Nothing was installed before: what is there now is this command's, and goes with it. */
export const freshName = 'fresh';
/** Of the folder's name while the guard takes back what is there: nobody goes on with that. */
export const undoSuffix = '-undo';

export interface Guard {
  /** From now on an installation is part of what is taken back. */
  markFresh(): Promise<void>;
  /** Ends the heartbeat; the guard itself ends when its folder is gone. */
  stop(): void;
}

/** @param folder claimed by this command; the guard removes it. @param silenceSeconds after which it does */
export async function startGuard(session: SshSession, folder: string, silenceSeconds: number): Promise<Guard> {
  const result = await session.runAsRoot(guardLine(folder, silenceSeconds));
  if (result.exitCode !== 0) await must({ run: () => Promise.resolve(result) }, 'start the guard', {});
  let count = Date.now();
  const beat = (): void => {
    count += 1;
    session.run(`echo ${count} > ${shellQuote([`${folder}/${beatName}`])}`).catch(() => undefined); // the next step says so
  };
  beat();
  const timer = setInterval(beat, beatMs);
  return {
    async markFresh() {
      await must(session, `touch ${shellQuote([`${folder}/${freshName}`])}`, {});
    },
    stop: () => clearInterval(timer),
  };
}

/** Ends by itself: with its folder, or by taking everything back, in which it has a beat of its own. */
export function guardLine(folder: string, silenceSeconds: number): string {
  const program = `
silence=0 last=
while [ -d "$1" ]; do
  sleep 1
  now=$(cat "$1/${beatName}" 2>/dev/null)
  if [ "$now" = "$last" ]; then silence=$((silence + 1)); else silence=0 last=$now; fi
  [ "$silence" -lt "$2" ] && continue
  mv "$1" "$1${undoSuffix}" || exit
  set -- "$1${undoSuffix}"
  while sleep 1; do echo "$((silence += 1))" > "$1/${beatName}"; done &
  if [ -e "$1/${freshName}" ]; then ${undoLine('"$1"')}; fi
  kill "$!"
  rm -rf "$1"
  rmdir "\${1%/*}"
done`;
  const words = shellQuote(['sh', '-c', program, 'flotilla-guard', folder, String(silenceSeconds)]);
  return `cd / && { command -v setsid >/dev/null && exec setsid ${words} || exec nohup ${words}; } </dev/null >/dev/null 2>&1 & echo $!`;
}

/** Takes an installation away with what was uploaded, or with what was installed. `folder`: a quoted word of shell. */
export function undoLine(folder: string): string {
  const nodes = `${folder}/node ${deviceLayout.runtime} /usr/bin/node /usr/local/bin/node`;
  return `for node in ${nodes}; do [ -x "$node" ] && "$node" ${folder}/flotilla-agent.js uninstall --purge --yes && break; done`;
}
