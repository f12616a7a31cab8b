import type { JobAction } from '../../protocol/job-action.ts';

export { JobActionSchema, type Content, type JobAction, type JobKind } from '../../protocol/job-action.ts';

/** In one line, for a person; a command as a shell would take it. */
export function formatAction(action: JobAction): string {
  switch (action.kind) {
    case 'command':
      return action.shell === true ? action.argv.join(' ') : action.argv.map(quoted).join(' ');
    case 'script':
      return ['script', action.name, ...action.args].map(quoted).join(' ');
    case 'put': {
      const { path, mode, owner, content } = action;
      const extra = [mode === undefined ? '' : ` mode ${mode}`, owner === undefined ? '' : ` owner ${owner}`].join('');
      return `put ${quoted(path)} (${content.sizeBytes} bytes${extra})`;
    }
    case 'get':
      return `get ${quoted(action.path)}`;
    case 'restart':
      return `restart ${action.service}`;
    case 'ping':
    case 'reboot':
    case 'refresh':
      return action.kind;
  }
}

function quoted(argument: string): string {
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
}
