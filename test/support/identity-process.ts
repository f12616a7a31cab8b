/** `identity-process.ts DIR KILL_AT GOAL`: see renew-identity.ts. Prints one JSON line when the renewal is over. */
import { renewIdentity } from './renew-identity.ts';

const [dir = '', killAt = '0', goal = '1'] = process.argv.slice(2);
const ended = await renewIdentity(dir, { killAt: Number(killAt), goal: Number(goal) });
process.stdout.write(`${JSON.stringify(ended)}\n`);
