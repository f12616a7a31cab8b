import type { Rollout } from '../../client/contract/rollout.ts';
import type { UpdateConduct } from '../../protocol/request.ts';

/** What of the policy the device itself keeps to; undefined: nothing. */
export function conductOf({
  windows,
  device,
}: Pick<Rollout['policy'], 'windows' | 'device'>): UpdateConduct | undefined {
  const conduct: UpdateConduct = {
    ...(windows?.install === undefined ? {} : { installWindows: windows.install }),
    ...(windows?.reboot === undefined ? {} : { rebootWindows: windows.reboot }),
    ...device,
  };
  return Object.keys(conduct).length === 0 ? undefined : conduct;
}
