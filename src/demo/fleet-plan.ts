/** Who is in the demo: sites, rings, and whose power is cut. Pure. */
export interface PlannedDevice {
  id: string;
  site: 'harbour' | 'valley';
  ring: 'canary' | 'early' | 'main';
  /** Power is cut while it downloads, or while it installs, the second release. */
  cut?: 'download' | 'install';
}

export const minDevices = 4;
export const maxDevices = 64;

/** At least `minDevices`. Sites alternate; one or two canaries, then the early ring with both cuts, the rest is main. */
export function planFleet(count: number): PlannedDevice[] {
  const canaries = count < 6 ? 1 : 2;
  const early = Math.max(2, Math.min(4, count - canaries - 1));
  return Array.from({ length: count }, (_, index) => {
    const ring = index < canaries ? 'canary' : index < canaries + early ? 'early' : 'main';
    const cut = index === canaries ? 'download' : index === canaries + 1 ? 'install' : undefined;
    return {
      id: `hm-${String(index + 1).padStart(2, '0')}`,
      site: index % 2 === 0 ? 'harbour' : 'valley',
      ring,
      ...(cut === undefined ? {} : { cut }),
    };
  });
}

export const ringIds = (plan: readonly PlannedDevice[], ring: PlannedDevice['ring']): string[] =>
  plan.filter((device) => device.ring === ring).map(({ id }) => id);
