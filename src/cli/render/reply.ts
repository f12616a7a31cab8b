import type { RequestReply } from '../../client/contract/index.ts';
import { printable } from '../printable.ts';

/** "done", "done: {"turned":90}", "failed: it is stuck". */
export function formatReply({ outcome, reason, value }: RequestReply): string {
  const told = [reason, value === undefined ? undefined : JSON.stringify(value)].filter((part) => part !== undefined);
  return printable([outcome, ...told].join(': '));
}
