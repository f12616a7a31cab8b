import type { Clock } from '../../clock.ts';
import type { ReturnerConfig } from '../../config/returner.ts';
import { FlotillaError } from '../../error.ts';
import { readSecretFile } from '../../pki/secret-file.ts';
import { createCommandReturner } from './command-returner.ts';
import { FileReturner } from './file-returner.ts';
import { createHttpReturner } from './http-returner.ts';
import type { Returner } from './returner.ts';

const minSecretBytes = 16;

/** @param directory where a command runs. @throws FlotillaError for a secret that is none */
export async function createReturner(
  { file, command, url, secretFile, caFile, maxBytes, keep }: ReturnerConfig,
  directory: string,
  clock: Clock,
): Promise<Returner> {
  if (file !== undefined) return new FileReturner({ path: file, maxBytes, keep });
  if (command !== undefined) return createCommandReturner(command, directory);
  const secret = await readSecretFile(secretFile!);
  const key = Buffer.from(secret.toString('utf8').trim());
  if (key.length < minSecretBytes) {
    throw new FlotillaError('usage', 'returner-secret', `the key in ${secretFile} is too short`, {
      seen: `${key.length} bytes`,
      expected: `at least ${minSecretBytes}: head -c 32 /dev/urandom | base64`,
    });
  }
  return createHttpReturner({ url: url!, secret: key, caFile, clock });
}
