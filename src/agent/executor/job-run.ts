import type { JobRun, JobStart } from '../../protocol/request.ts';

/** A job of the first form: a command. */
export function asRun({ argv, shell, ...rest }: JobStart): JobRun {
  return { ...rest, action: { kind: 'command', argv, shell } };
}

export function programOf({ action }: JobRun): string | undefined {
  return action.kind === 'command' ? action.argv[0] : undefined;
}

type Present<T> = { [K in keyof T]: Exclude<T[K], undefined> };

/** Without the members that are undefined: those are not there in JSON either. */
export function dropAbsent<T extends object>(value: T): Present<T> {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as Present<T>;
}
