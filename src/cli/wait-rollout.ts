import type { CoordinatorClient } from '../client/coordinator-client.ts';
import type { Rollout, RolloutFollowRow } from '../client/contract/index.ts';
import { FlotillaError } from '../error.ts';
import { untilInterrupted } from './interrupt.ts';
import { LiveBlock } from './live-block.ts';
import { formatRolloutBlock } from './render/rollout-progress.ts';
import { formatRolloutStep } from './render/rollout.ts';
import { RolloutProgress } from './rollout-progress.ts';
import { stdoutOption } from './terminal.ts';

const repaintMs = 200;

/** What becomes of the rows; `undefined` shows nothing (one document at the end is all that is asked for). */
export interface RolloutOutput {
  emit: ((row: RolloutFollowRow) => void) | undefined;
  print: ((text: string) => void) | undefined;
}

/** Follows a rollout until it has ended or halted. Undefined when the person left by Ctrl-C; the rollout goes on. */
export async function waitRollout(
  client: Pick<CoordinatorClient, 'followRollout'>,
  first: Rollout,
  output: RolloutOutput,
): Promise<Rollout | undefined> {
  const progress = new RolloutProgress(first);
  const states = new Map<string, string>();
  const block = new LiveBlock();
  const { print } = output;
  const timer =
    print !== undefined && block.live
      ? setInterval(() => block.paint(formatRolloutBlock(progress, Date.now())), repaintMs)
      : undefined;
  const onRow = (row: RolloutFollowRow) => {
    output.emit?.(row);
    progress.take(row);
    if (row.kind !== 'device' || print === undefined) return;
    const { deviceId, state } = row.device;
    // Whose turn has not come says nothing: of a large fleet that is nearly everybody.
    if (state !== 'waiting' && states.get(deviceId) !== state) {
      states.set(deviceId, state);
      block.above(() => print(formatRolloutStep(row.device, Date.now(), stdoutOption())));
    }
  };
  try {
    const ended = await untilInterrupted(async (signal) => {
      for await (const row of client.followRollout(first.id, signal)) onRow(row);
      const newest = progress.rollout;
      if (signal.aborted || newest.state !== 'running') return newest;
      throw new FlotillaError(
        'unreachable',
        'follow-ended',
        'the coordinator stopped answering before the rollout ended',
        {
          seen: `the stream of rollout ${first.id} ended early`,
          suggestion: `the rollout goes on with the coordinator; flotilla rollout status ${first.id} --follow`,
        },
      );
    });
    if (!ended.interrupted) return ended.value;
  } finally {
    clearInterval(timer);
    block.clear();
  }
  process.stderr.write(
    `\ndetached; the rollout goes on. Look again with: flotilla rollout status ${first.id} --follow\n`,
  );
  return undefined;
}
