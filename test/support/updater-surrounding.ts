/** What an updater stands in on a device whose owner and programs have nothing to say. */
import type { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import type { BootTime } from '../../src/agent/machine/boot-time.ts';
import { ProductHealth } from '../../src/agent/updater/product-health.ts';
import type { UpdaterOption } from '../../src/agent/updater/updater-option.ts';
import type { UpdateRules } from '../../src/config/agent-config.ts';
import { defaultUpdateRules } from '../../src/config/agent-default.ts';

type Surrounding = Pick<UpdaterOption, 'machine' | 'rules' | 'grains' | 'rebootHold' | 'productHealth'>;

/** Hooks are in `hooks` of that folder. */
export function updaterSurrounding(option: {
  database: DatabaseSync;
  directory: string;
  machine: BootTime;
  rules?: Partial<UpdateRules> | undefined;
}): Surrounding {
  const { database, directory, machine, rules } = option;
  return {
    machine,
    rules: {
      ...defaultUpdateRules,
      ...rules,
      hooks: { ...defaultUpdateRules.hooks, ...rules?.hooks, directory: join(directory, 'hooks') },
    },
    grains: async () => ({ timezone: 'UTC' }),
    rebootHold: () => undefined,
    productHealth: new ProductHealth({ database, machine }),
  };
}
