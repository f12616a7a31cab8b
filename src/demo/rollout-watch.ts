import type { Rollout, RolloutDevice, RolloutFollowRow } from '../client/contract/index.ts';
import type { DemoCli } from './demo-cli.ts';

/** A rollout as `rollout status --follow` tells it. */
export class RolloutWatch {
  readonly id: string;
  readonly #devices = new Map<string, RolloutDevice>();
  #rollout: Rollout | undefined;
  /** Resolves when the rollout ended or halted, to the exit code of the command. */
  readonly ended: Promise<number>;

  constructor(cli: DemoCli, id: string, onChange: () => void) {
    this.id = id;
    this.ended = cli.follow(['rollout', 'status', id, '--follow'], (row) => {
      const { kind, ...rest } = row as RolloutFollowRow;
      if (kind === 'device') {
        const { device } = rest as { device: RolloutDevice };
        this.#devices.set(device.deviceId, device);
      } else this.#rollout = (rest as { rollout: Rollout }).rollout;
      onChange();
    });
  }

  device(id: string): RolloutDevice | undefined {
    return this.#devices.get(id);
  }

  /** "8 committed, 2 testing" for the progress line. */
  summary(): string {
    const counts = new Map<string, number>();
    for (const { state } of this.#devices.values()) counts.set(state, (counts.get(state) ?? 0) + 1);
    const parts = [...counts].map(([state, count]) => `${count} ${state}`);
    return [this.#rollout?.state ?? 'running', ...parts].join(', ');
  }
}
