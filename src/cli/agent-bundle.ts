import { join } from 'node:path';
import { packageRoot } from '../config/package-root.ts';
import { buildBundle, type BundleSummary } from '../firmware/index.ts';

export interface AgentBundleOption {
  /** The one file. */
  agentFile: string;
  /** Of that agent. */
  version: string;
  outputPath: string;
  privateKeyPath: string;
  /** The bundle's date, for the same bytes every time. */
  sourceDateEpochSeconds?: number;
}

/** A signed bundle that agents take for their own program. */
export function buildAgentBundle(option: AgentBundleOption): Promise<BundleSummary> {
  const { agentFile, version, ...rest } = option;
  return buildBundle({
    ...rest,
    configPath: join(packageRoot(), 'templates', 'agent-bundle.conf'),
    variables: { FLOTILLA_AGENT_FILE: agentFile, FLOTILLA_AGENT_VERSION: version },
  });
}
