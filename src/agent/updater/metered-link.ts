import type { MeteredConfig } from '../../config/agent-config.ts';
import type { Update } from './update.ts';
import { fileOf } from './update.ts';

/** Does the device say of itself that its link costs money? Every grain that is named must have one of its values. */
export function isMetered({ when }: Pick<MeteredConfig, 'when'>, grains: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(when).every(([name, values]) => {
    const found = grainAt(grains, name.split(':'));
    return (Array.isArray(found) ? found : [found]).some((each) => values.includes(String(each)));
  });
}

/** Why the download has to wait for another link; undefined when it need not. */
export function meteredObstacle(
  update: Pick<Update, 'bundle' | 'delta'>,
  rule: MeteredConfig,
  grains: Readonly<Record<string, unknown>>,
): string | undefined {
  if (!isMetered(rule, grains)) return undefined;
  const { sizeBytes } = fileOf(update);
  if (rule.download === 'never') return 'the link is metered';
  if (rule.download === 'delta-only')
    return update.delta === undefined ? 'the link is metered, and this is no delta' : undefined;
  const { maxBytes = 0 } = rule;
  return sizeBytes > maxBytes
    ? `the link is metered, and ${sizeBytes} bytes are more than the ${maxBytes} that it may carry`
    : undefined;
}

function grainAt(grains: unknown, path: readonly string[]): unknown {
  let value = grains;
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}
