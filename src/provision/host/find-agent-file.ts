import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../../config/package-root.ts';
import { FlotillaError } from '../../error.ts';

/** The one-file agent of this very version. */
export async function findAgentFile(): Promise<string> {
  const root = packageRoot();
  const file = [join(root, 'dist', 'agent', 'flotilla-agent.js'), join(root, 'agent', 'flotilla-agent.js')];
  for (const candidate of file) {
    const found = await access(candidate).then(
      () => true,
      () => false,
    );
    if (found) return candidate;
  }
  throw new FlotillaError('ours', 'agent-file-missing', 'the one-file agent is not here', {
    seen: file.join(', '),
    suggestion: 'in a checkout: npm run build',
  });
}
