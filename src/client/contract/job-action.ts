import type { JobAction } from '../../protocol/job-action.ts';

export { JobActionSchema, type JobAction, type JobKind } from '../../protocol/job-action.ts';

/** In one line, for a person; a command as a shell would take it. */
export function formatAction(action: JobAction): string {
  switch (action.kind) {
    case 'command':
      return action.shell === true ? action.argv.join(' ') : action.argv.map(quoted).join(' ');
    case 'ping':
    case 'refresh':
      return action.kind;
  }
}

function quoted(argument: string): string {
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
}
