/** `connectHook:` of coordinator.yaml: the program or the service of the application that judges each connect. */
import { type Field, check, integer, record, text } from './field.ts';
import { argv, milliseconds, path } from './rule.ts';

export interface ConnectHookConfig {
  /** A program and its arguments; or `url`. */
  command?: string[];
  url?: string;
  /** Of `url`: what its certificate must chain to. Absolute once loaded. */
  caFile?: string;
  timeoutMs: number;
  /** So many questions at a time; the others wait. */
  maxConcurrent: number;
  /** How long a decision holds; 0: asked at each connect. */
  cacheSeconds: number;
}

const defaults = { timeoutMs: 5_000, maxConcurrent: 16, cacheSeconds: 0 } satisfies Partial<ConnectHookConfig>;

const loopbackHost = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

const url: Field<string> = check(text({ maxLength: 2_048 }), (value, key) => {
  const expected = 'https://…, or http:// to this machine alone (127.0.0.1, [::1], localhost)';
  const target = URL.canParse(value) ? new URL(value) : undefined;
  const isFit =
    target !== undefined &&
    target.username === '' &&
    (target.protocol === 'https:' || (target.protocol === 'http:' && loopbackHost.test(target.hostname)));
  return isFit ? undefined : { message: `${key} is not valid`, seen: JSON.stringify(value.slice(0, 80)), expected };
});

export const connectHookField: Field<ConnectHookConfig> = check(
  record<ConnectHookConfig>(
    {
      command: argv,
      url,
      caFile: path,
      timeoutMs: milliseconds(100, 12_000),
      maxConcurrent: integer({ min: 1, max: 256 }),
      cacheSeconds: integer({ min: 0, max: 86_400, unit: 'seconds' }),
    },
    defaults,
    ['command', 'url', 'caFile'],
  ),
  ({ command, url: given, caFile }, key) => {
    if ((command === undefined) === (given === undefined)) {
      const seen = command === undefined ? 'neither' : 'both';
      return { message: `${key} needs a command or a url`, seen, expected: 'exactly one of them' };
    }
    if (caFile === undefined || given?.startsWith('https:') === true) return undefined;
    return { message: `${key}.caFile is for https`, seen: given ?? 'a command', expected: 'an https url' };
  },
);
