/**
 * One host, from whatever it is to a connected device. Every step looks first, so a repetition goes on where the last one
 * ended and a host that is as it should be is not written to. A failure takes back what this run has made, here, on the
 * host, and in the fleet; on a host that has lost its line, its guard does.
 */
import { createPublicKey, X509Certificate } from 'node:crypto';
import type { CoordinatorClient } from '../client/coordinator-client.ts';
import type { Device } from '../client/contract/index.ts';
import { FlotillaError, type ErrorDocument } from '../error.ts';
import { parseCsr } from '../pki/csr.ts';
import { fitNode } from './host/fit-node.ts';
import { findDevice, requireWelcome, setTags, takeBack, waitConnected } from './host/fleet-side.ts';
import { startGuard, undoLine, type Guard } from './host/guard.ts';
import { parseHostFacts, probeScript, type HostFacts } from './host/host-fact.ts';
import { findDifferences, judgeIdentity, type Wanted } from './host/installed-state.ts';
import { requireRoom } from './host/room.ts';
import { uploadText, type Parcel } from './host/upload.ts';
import { claimWorkFolder, releaseLine } from './host/work-folder.ts';
import { findRuntime } from './runtime/find-runtime.ts';
import type { HostKeys } from './ssh/host-key.ts';
import { shellQuote } from './ssh/shell-quote.ts';
import { SshSession, type SshCredential, type SshTarget } from './ssh/ssh-session.ts';

export interface HostTask {
  target: SshTarget;
  credential: SshCredential;
  jumpCredential?: SshCredential;
  wanted: Wanted;
  tags: Record<string, string>;
  pending: boolean;
}

export interface ProvisionContext {
  client: CoordinatorClient;
  hostKeys: HostKeys;
  agent: Parcel;
  /** Packs a Node at its first use; the same for every host that needs it. */
  runtime(file: string): Promise<Parcel>;
  /** Instead of the one that is found for a host's architecture. */
  runtimeFile?: string;
  /** Whose run this is, for others who want the same host: `user@machine`. */
  who: string;
  /** A host whose line broke is tried again for so long; its guard waits a little longer. */
  reconnectMs: number;
  connectMs: number;
  sleep(ms: number): Promise<void>;
  nowMs(): number;
}

export interface HostReport {
  host: string;
  deviceId: string;
  outcome: 'provisioned' | 'changed' | 'unchanged' | 'failed';
  /** Steps of the installation that had an effect on the host. */
  changes: number;
  durationMs: number;
  state?: string;
  error?: ErrorDocument;
  /** What could not be taken back after a failure. */
  left?: string;
}

export async function provisionHost(
  context: ProvisionContext,
  task: HostTask,
  say: (text: string) => void,
): Promise<HostReport> {
  const startMs = context.nowMs();
  const facts = { host: task.target.host, deviceId: task.wanted.deviceId };
  const run = new HostRun(context, task, say);
  try {
    const { changes, isNew, device, tagged } = await run.withReconnects();
    const outcome = isNew ? 'provisioned' : changes > 0 || tagged ? 'changed' : 'unchanged';
    return { ...facts, outcome, changes, durationMs: context.nowMs() - startMs, state: device.state };
  } catch (thrown) {
    const left = await run.takeBack();
    const error =
      thrown instanceof FlotillaError
        ? thrown
        : new FlotillaError('ours', 'internal', String(thrown), { cause: thrown });
    return {
      ...facts,
      outcome: 'failed',
      changes: 0,
      durationMs: context.nowMs() - startMs,
      error: error.toJSON(),
      ...(left === undefined ? {} : { left }),
    };
  }
}

interface Done {
  changes: number;
  isNew: boolean;
  tagged: boolean;
  device: Device;
}

/** What has happened so far; kept over a broken line. */
class HostRun {
  readonly #context: ProvisionContext;
  readonly #task: HostTask;
  readonly #say: (text: string) => void;
  #session: SshSession | undefined;
  #guard: Guard | undefined;
  /** On the host, ours. */
  #folder: string | undefined;
  /** Nothing was installed there before this run. */
  #isFresh = false;
  #signed: { pem: string; authorityPem: string; serial: string } | undefined;
  #wasKnown = true;

  constructor(context: ProvisionContext, task: HostTask, say: (text: string) => void) {
    this.#context = context;
    this.#task = task;
    this.#say = say;
  }

  async withReconnects(): Promise<Done> {
    let lostAtMs: number | undefined;
    for (;;) {
      try {
        await this.#open();
        lostAtMs = undefined;
        return await this.#bring();
      } catch (error) {
        const code = error instanceof FlotillaError ? error.code : '';
        const broke = code === 'ssh-lost' || (code === 'ssh-unreachable' && lostAtMs !== undefined);
        if (!broke) throw error;
        lostAtMs ??= this.#context.nowMs();
        await this.#close();
        const leftMs = lostAtMs + this.#context.reconnectMs - this.#context.nowMs();
        if (leftMs <= 0) throw stayedAway(this.#task.target, this.#context.reconnectMs, error);
        this.#say(`the line broke; trying again for ${Math.ceil(leftMs / 1000)} s`);
        await this.#context.sleep(Math.min(2_000, leftMs));
      }
    }
  }

  async #open(): Promise<void> {
    const { target, credential, jumpCredential } = this.#task;
    this.#say('connecting');
    this.#session = await SshSession.open(target, {
      credential,
      hostKeys: this.#context.hostKeys,
      ...(jumpCredential === undefined ? {} : { jumpCredential }),
    });
  }

  async #close(): Promise<void> {
    this.#guard?.stop();
    this.#guard = undefined;
    await this.#session?.[Symbol.asyncDispose]();
    this.#session = undefined;
  }

  async #bring(): Promise<Done> {
    this.#say('looking');
    const before = await this.#look();
    if (before.isDone && !before.facts.isClaimed) return this.#finish({ changes: 0, isNew: false });
    await this.#claim();
    // Again, with the host to itself: until then another run may have been at work.
    const { facts, hasIdentity } = await this.#look();
    const changes = await this.#install(facts, hasIdentity);
    return this.#finish({ changes, isNew: this.#isFresh });
  }

  async #look(): Promise<{ facts: HostFacts; hasIdentity: boolean; isDone: boolean }> {
    const { client, nowMs } = this.#context;
    const { wanted } = this.#task;
    const probe = await this.#asRoot(probeScript);
    const facts = parseHostFacts(probe.stdout, nowMs());
    const known = await findDevice(client, wanted.deviceId);
    requireWelcome(known);
    if (this.#signed === undefined) this.#wasKnown = known !== undefined;
    const identity = judgeIdentity(facts, wanted, nowMs());
    if (identity.kind === 'other') {
      throw new FlotillaError('refused', 'host-other-device', 'this host is another device already', {
        seen: identity.seen,
        expected: `${wanted.deviceId} of ${wanted.fleetId}, or no device`,
        suggestion: 'flotilla provision remove first, or give its id',
      });
    }
    const hasIdentity = identity.kind === 'good' && known !== undefined && (await this.#isOnRecord(identity.serialHex));
    const isDone = hasIdentity && findDifferences(facts, wanted).length === 0 && (await this.#isWhole());
    return { facts, hasIdentity, isDone };
  }

  /** A certificate that the fleet has not revoked. */
  async #isOnRecord(serialHex: string): Promise<boolean> {
    const certificates = await this.#context.client.certificates({ device: this.#task.wanted.deviceId });
    return certificates.some(({ serial, revokedAtMs }) => serial === serialHex && revokedAtMs === undefined);
  }

  /** The installed agent compares all that it has put there: units, modes, owners. */
  async #isWhole(): Promise<boolean> {
    const { exitCode, stdout } = await this.#asRoot('flotilla-agent install --dry-run --json');
    return exitCode === 0 && (JSON.parse(stdout) as { changes: number }).changes === 0;
  }

  /** Returns how many steps had an effect. */
  async #install(facts: HostFacts, hasIdentity: boolean): Promise<number> {
    const folder = this.#folder!;
    const { digests, certificatePem } = facts.installed;
    this.#isFresh ||= Object.keys(digests).length === 0 && certificatePem === undefined;
    await this.#sendPrograms(facts, folder);
    const node = fitNode(facts) ?? `${folder}/node`;
    const { configText, grainsText } = this.#task.wanted;
    await uploadText(this.#ssh, `${folder}/agent.yaml`, configText);
    if (grainsText !== undefined) await uploadText(this.#ssh, `${folder}/grains.yaml`, grainsText);
    if (!hasIdentity) await this.#makeIdentity(node, folder);
    if (this.#isFresh) await this.#guard!.markFresh();
    this.#say('installing');
    const command = [node, `${folder}/flotilla-agent.js`, 'install', '--json', '--config', `${folder}/agent.yaml`];
    if (node === `${folder}/node`) command.push('--runtime', node);
    if (!hasIdentity && !this.#isFresh) command.push('--replace-identity');
    const ran = await this.#asRoot(shellQuote(command), 300_000);
    return readInstalled(ran.stdout, ran.stderr);
  }

  /** The folder of this run, also after a broken line; with a guard that has not ended. */
  async #claim(): Promise<void> {
    const kept = this.#folder;
    if (kept === undefined || (await this.#ssh.run(`test -d ${shellQuote([kept])}`)).exitCode !== 0) {
      // After a broken line the guard may have taken everything back: then all begins anew.
      this.#folder = undefined;
      const { path, wasFresh } = await claimWorkFolder(this.#ssh, this.#context.who);
      this.#folder = path;
      this.#isFresh = wasFresh;
    }
    this.#guard ??= await startGuard(this.#ssh, this.#folder!, this.#silenceSeconds);
  }

  get #silenceSeconds(): number {
    return Math.ceil(this.#context.reconnectMs / 1000) + 10;
  }

  async #sendPrograms(facts: HostFacts, folder: string): Promise<void> {
    const { agent, runtime, runtimeFile } = this.#context;
    const progress = (what: string, total: number) => (sent: number) =>
      this.#say(`sending ${what}: ${Math.floor((100 * sent) / total)} % of ${(total / 1e6).toFixed(1)} MB`);
    const parcel =
      fitNode(facts) === undefined ? await runtime(runtimeFile ?? (await findRuntime(facts)).path) : undefined;
    requireRoom(facts, parcel === undefined ? [agent] : [agent, parcel]);
    await agent.send(this.#ssh, `${folder}/flotilla-agent.js`, {
      mode: '644',
      onBytes: progress('the agent', agent.packedBytes),
    });
    await parcel?.send(this.#ssh, `${folder}/node`, { mode: '755', onBytes: progress('Node', parcel.packedBytes) });
  }

  /** The key is made there and stays there. */
  async #makeIdentity(node: string, folder: string): Promise<void> {
    const { deviceId } = this.#task.wanted;
    this.#say('making its key');
    const command = [node, `${folder}/flotilla-agent.js`, 'csr', '--id', deviceId, '--dir', folder, '--json'];
    const { exitCode, stdout, stderr } = await this.#asRoot(shellQuote(command));
    if (exitCode !== 0) throw failedOnHost(stdout, stderr);
    const { csrPem } = JSON.parse(stdout) as { csrPem: string };
    this.#signed = (await this.#fits(csrPem)) ? this.#signed : await this.#sign(csrPem);
    await uploadText(this.#ssh, `${folder}/device.crt`, this.#signed!.pem);
    await uploadText(this.#ssh, `${folder}/authority.crt`, this.#signed!.authorityPem);
  }

  /** Signed before the line broke, for the very same key. */
  async #fits(csrPem: string): Promise<boolean> {
    if (this.#signed === undefined) return false;
    const { publicKey } = await parseCsr(csrPem);
    return createPublicKey(
      new X509Certificate(this.#signed.pem).publicKey.export({ type: 'spki', format: 'pem' }),
    ).equals(publicKey);
  }

  async #sign(csrPem: string) {
    const { deviceId } = this.#task.wanted;
    const { client } = this.#context;
    // A key that a guard has destroyed: its certificate is of no use.
    if (this.#signed !== undefined) await takeBack(client, { deviceId, serial: this.#signed.serial, wasKnown: true });
    this.#say('signing its request');
    const pending = this.#task.pending ? { pending: true } : {};
    const { certificate, authority } = await client.sign({ csr: csrPem, deviceId, ...pending });
    return { pem: certificate.pem, authorityPem: authority, serial: certificate.serial };
  }

  async #finish({ changes, isNew }: { changes: number; isNew: boolean }): Promise<Done> {
    const { client, connectMs, sleep } = this.#context;
    this.#say('waiting for its connection');
    const device = await waitConnected(client, this.#task.wanted.deviceId, { limitMs: connectMs, sleep });
    const tagged = await setTags(client, device, this.#task.tags);
    await this.#clear();
    return { changes, isNew, tagged, device };
  }

  async #clear(): Promise<void> {
    if (this.#folder !== undefined) await this.#asRoot(releaseLine(this.#folder));
    this.#folder = undefined;
    await this.#close();
  }

  /** After a failure. Returns what is left over. */
  async takeBack(): Promise<string | undefined> {
    const left: string[] = [];
    if (this.#session !== undefined && this.#folder !== undefined) {
      const undo = this.#isFresh ? `${undoLine(shellQuote([this.#folder]))}; ` : '';
      await this.#asRoot(`${undo}${releaseLine(this.#folder)}`).catch(() => {
        left.push(`the guard on ${this.#task.target.host} takes back what is there in ${this.#silenceSeconds} s`);
      });
    } else if (this.#folder !== undefined) {
      left.push(`nothing is heard of ${this.#task.target.host}: its guard takes back what is there`);
    }
    await this.#close();
    const { deviceId } = this.#task.wanted;
    const onRecord = await takeBack(this.#context.client, {
      deviceId,
      serial: this.#signed?.serial,
      wasKnown: this.#wasKnown,
    });
    if (onRecord !== undefined) left.push(onRecord);
    return left.length === 0 ? undefined : left.join('; ');
  }

  get #ssh(): SshSession {
    if (this.#session !== undefined) return this.#session;
    throw new FlotillaError('ours', 'provision-no-session', 'there is no connection');
  }

  #asRoot(line: string, timeoutMs?: number) {
    return this.#ssh.runAsRoot(line, timeoutMs === undefined ? {} : { timeoutMs });
  }
}

function readInstalled(stdout: string, stderr: string): number {
  try {
    const document = JSON.parse(stdout) as { changes?: number };
    if (document.changes !== undefined) return document.changes;
  } catch {
    // said below
  }
  throw failedOnHost(stdout, stderr);
}

/** The agent's own words, where it has said them. */
function failedOnHost(stdout: string, stderr: string): FlotillaError {
  try {
    const { error } = JSON.parse(stdout) as { error?: ErrorDocument };
    if (error !== undefined) return FlotillaError.fromJSON(error);
  } catch {
    // said below
  }
  return new FlotillaError('failed', 'host-command-failed', 'the agent could not be started on the host', {
    seen: (stderr.trim() || stdout.trim()).slice(-400) || 'no output',
    suggestion:
      'log in, and try to start what is in /usr/lib/flotilla; a file system that forbids programs is one cause',
  });
}

function stayedAway({ host }: SshTarget, reconnectMs: number, cause: unknown): FlotillaError {
  return new FlotillaError('unreachable', 'ssh-lost', `the connection to ${host} broke and did not come back`, {
    seen: `nothing for ${Math.round(reconnectMs / 1000)} s`,
    suggestion: 'repeat the command when the host is back: it goes on with what is missing',
    cause,
  });
}
