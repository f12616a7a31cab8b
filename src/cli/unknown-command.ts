import { nearest } from '../nearest.ts';
import { FlotillaError } from '../error.ts';

/** The error for words that name no command. `commandIds` in oclif's form, `device:list`. */
export function unknownCommand(words: string, commandIds: readonly string[]): FlotillaError {
  const typed = words.replaceAll(':', ' ');
  const commands = commandIds.map((id) => id.replaceAll(':', ' '));
  const inTopic = commands.filter((command) => command.startsWith(`${typed} `));
  if (inTopic.length > 0) {
    return new FlotillaError('usage', 'command-incomplete', `"${typed}" is not a whole command`, {
      expected: inTopic.join(', '),
      suggestion: `flotilla ${typed} --help`,
    });
  }
  return new FlotillaError('usage', 'command-unknown', `there is no command "${typed}"`, {
    suggestion: `flotilla ${nearestCommand(typed, commands) ?? '--help'}`,
  });
}

/** Whatever follows a mistyped command looks like more of it (`device shwo gw-1`): shorter readings are tried too. */
function nearestCommand(typed: string, commands: string[]): string | undefined {
  const words = typed.split(' ');
  for (let count = words.length; count > 0; count -= 1) {
    const found = nearest(words.slice(0, count).join(' '), commands);
    if (found !== undefined) return found;
  }
  return undefined;
}
