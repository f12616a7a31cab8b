/** The application's say at each connect: what it is asked, what it may answer, and how it is reached. */
import { Type, type Static } from 'typebox';
import { Check } from 'typebox/value';
import { FlotillaError } from '../../error.ts';

/** What the hook is told, as one JSON document. */
export interface ConnectQuestion {
  version: 1;
  fleetId: string;
  deviceId: string;
  /** Of the certificate that TLS has verified. */
  serial: string;
  fingerprintSha256: string;
  instanceId: string;
  address: string;
  agentVersion: string;
  /** A TLS session was gone on with. */
  resumed: boolean;
  /** `pending`: nobody has accepted it yet; a yes of the hook does not either. */
  state: 'accepted' | 'pending';
  tags: Record<string, string>;
  grains: Record<string, unknown>;
}

export const HookAnswerSchema = Type.Object({
  decision: Type.Enum(['allow', 'deny', 'quarantine']),
  /** For people and for the device's log. */
  reason: Type.Optional(Type.String({ maxLength: 256 })),
  /** With deny: when the device may ask again. */
  retryAfterSeconds: Type.Optional(Type.Number({ minimum: 1, maximum: 86_400 })),
});
export type HookAnswer = Static<typeof HookAnswerSchema>;

/** What came of asking. `failed` lets nobody in. */
export type HookVerdict = HookAnswer | { decision: 'failed'; reason: string; retryAfterSeconds: number };

/** The same program or service may judge connects and enrollments: the questions differ. */
export interface Hook<Question extends { fleetId: string }> {
  /** @throws FlotillaError when there is no answer, or none that can be read; ends by itself when aborted */
  ask(question: Question, signal: AbortSignal): Promise<HookAnswer>;
}
export type ConnectHook = Hook<ConnectQuestion>;

/** An answer never needs more. */
export const maxAnswerBytes = 16_384;

/** @throws FlotillaError `connect-hook-answer` */
export function readAnswer(text: string): HookAnswer {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    throw badAnswer(text);
  }
  if (!Check(HookAnswerSchema, answer)) throw badAnswer(text);
  return answer;
}

export function hookFailure(message: string, cause?: unknown): FlotillaError {
  return new FlotillaError('failed', 'connect-hook', message, cause === undefined ? {} : { cause });
}

function badAnswer(text: string): FlotillaError {
  const seen = text.trim() === '' ? 'nothing' : JSON.stringify(text.slice(0, 60));
  return new FlotillaError('failed', 'connect-hook', `its answer can't be read: ${seen}`);
}
