import type { Log, LogLevel } from '../../log.ts';
import { GatewayProcess } from '../gateway/gateway-process.ts';
import { readJson, writeJson } from '../gateway/ipc.ts';
import {
  ToRecovery,
  ToRecoveryCore,
  type AnswerDocument,
  type AskDocument,
  type RecoveryConfig,
  type TrustDocument,
} from './ipc.ts';

export interface RecoveryPortOption {
  /** The script of the process: src/bin/recovery.ts, or its bundle. */
  entry: string;
  listen: { host: string; port: number };
  fleetId: string;
  tls: { keyFile: string; certificateFile: string };
  trust: TrustDocument;
  maxExpiredMs: number;
  log: Log;
  logLevel: LogLevel;
  logDestination?: string | 2;
  ask(question: Omit<AskDocument, 'id'>): Promise<AnswerBody>;
}

type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never;
export type AnswerBody = WithoutId<AnswerDocument>;

export interface RecoveryPort {
  readonly port: number;
  readonly pid: number | undefined;
  setTrust(trust: TrustDocument): void;
  stop(): Promise<void>;
}

const restartMinMs = 100;
const restartMaxMs = 5_000;

/** Starts the process that holds the recovery port, and another one whenever it ends by itself. */
export async function startRecoveryPort(option: RecoveryPortOption): Promise<RecoveryPort> {
  let trust = option.trust;
  let restartMs = restartMinMs;
  let isStopping = false;
  let timer: NodeJS.Timeout | undefined;
  let port = option.listen.port;
  let ready = false;

  const spawn = (): GatewayProcess => {
    const { fleetId, tls, maxExpiredMs, logLevel, logDestination = 2, listen } = option;
    const config: RecoveryConfig = {
      fleetId,
      listen: { ...listen, port },
      tls,
      trust,
      maxExpiredMs,
      logLevel,
      logDestination,
    };
    const child: GatewayProcess = new GatewayProcess({
      entry: option.entry,
      config,
      onFrame(kind, body) {
        if (kind !== ToRecoveryCore.ask) throw new RangeError(`the recovery process said ${kind}`);
        const { id, ...question } = readJson(body) as AskDocument;
        option.ask(question).then(
          (answer) => child.send(ToRecovery.answer, (out) => writeJson(out, { id, ...answer })),
          (error: unknown) => {
            option.log.error({ err: error }, 'a recovery could not be decided');
            const later: AnswerDocument = { id, kind: 'later', retryAfterSeconds: 60 };
            child.send(ToRecovery.answer, (out) => writeJson(out, later));
          },
        );
      },
      onExit(reason) {
        if (isStopping || !ready) return; // before it was ready, `ready` has rejected
        option.log.error({ reason, restartMs }, 'the recovery process ended by itself; starting another');
        timer = setTimeout(() => (process = spawn()), restartMs);
        restartMs = Math.min(restartMaxMs, restartMs * 2);
      },
    });
    return child;
  };
  let process = spawn();
  port = await process.ready;
  ready = true;
  return {
    port,
    get pid() {
      return process.pid;
    },
    setTrust(next) {
      trust = next;
      process.send(ToRecovery.trust, (body) => writeJson(body, next));
    },
    async stop() {
      isStopping = true;
      clearTimeout(timer);
      process.kill();
      await process.exited;
    },
  };
}
