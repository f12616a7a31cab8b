import type { LaunchOption } from './program-option.ts';

/**
 * What the launcher has put into the environment; taken out of it, because it is about this process and not about those
 * that it starts. Undefined: there is no launcher.
 */
export function takeLaunch(environment: NodeJS.ProcessEnv): Omit<LaunchOption, 'restart'> | undefined {
  const { FLOTILLA_AGENT_PROGRAMS: programs, FLOTILLA_AGENT_BASE: base, FLOTILLA_AGENT_BUNDLE: bundle } = environment;
  for (const name of ['PROGRAMS', 'BASE', 'BUNDLE']) delete environment[`FLOTILLA_AGENT_${name}`];
  if (!programs?.startsWith('/') || base === undefined || !/^[0-9a-f]{64}$/.test(base)) return undefined;
  return { programs, base, ...(bundle ? { bundle } : {}) };
}
