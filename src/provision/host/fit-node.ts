import type { HostFacts } from './host-fact.ts';

const minMajor = 24;

/** The path of a Node on the host that is new enough; undefined: one has to be brought along. */
export function fitNode({ nodes }: Pick<HostFacts, 'nodes'>): string | undefined {
  return nodes.find(({ version }) => Number(version.split('.')[0]) >= minMajor)?.path;
}
