import type { OperatorAction } from '../../protocol/job-action.ts';

export {
  OperatorActionSchema as JobActionSchema,
  type Content,
  type OperatorAction as JobAction,
} from '../../protocol/job-action.ts';

/** In one line, for a person; a command as a shell would take it. */
export function formatAction(action: OperatorAction): string {
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
    case 'config':
      return `set config ${action.name}`;
    case 'ping':
    case 'reboot':
    case 'refresh':
      return action.kind;
  }
}

function quoted(argument: string): string {
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
}
