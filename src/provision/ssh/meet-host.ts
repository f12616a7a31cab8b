/** Shows a person the key of a host that nobody knows, before anything else is said to that host. */
import { FlotillaError } from '../../error.ts';
import { describeKey, type HostKeys, type Place } from './host-key.ts';
import { SshSession, type SshCredential, type SshTarget } from './ssh-session.ts';

export interface MeetOption {
  hostKeys: HostKeys;
  credential: SshCredential;
  /** `shown`: algorithm and fingerprint. */
  confirm(place: Place, shown: string): Promise<boolean>;
}

/** First those that it goes through. A host that does not answer is none to ask about: connecting to it says so. */
export async function meetHost(target: SshTarget, option: MeetOption): Promise<void> {
  const { hostKeys, credential, confirm } = option;
  if (target.jump !== undefined) await meetHost(target.jump, option);
  if (hostKeys.isSettled(target)) return;
  let key: Buffer;
  try {
    key = await SshSession.readHostKey(target, { credential, hostKeys });
  } catch (error) {
    if (error instanceof FlotillaError) return;
    throw error;
  }
  if (await confirm(target, describeKey(key))) await hostKeys.accept(target, key);
}
