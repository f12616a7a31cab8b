/** What a slot script prints for `state`: NAME=VALUE lines, or the same as one JSON object. Whatever is not asked for is refused. */
import { FlotillaError } from '../../error.ts';
import type { SlotContent, SlotState } from './slot-backend.ts';

const slotPattern = /^[A-Za-z0-9_-]{1,16}$/;
const uuidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const maxSlots = 8;

/** @throws FlotillaError `slot-script-invalid`: what was printed, and what would have been right */
export function parseScriptState(output: string): SlotState {
  const text = output.trim();
  const values = text.startsWith('{') ? jsonValues(text) : lineValues(text);
  const take = (name: string): string | undefined => {
    const value = values.get(name);
    values.delete(name);
    return value;
  };
  const names = (take('slots') ?? '').split(/[\s,]+/).filter(Boolean);
  if (names.length < 2 || names.length > maxSlots || new Set(names).size < names.length) {
    throw invalid(`slots=${names.join(',')}`, `the slots: two to ${maxSlots} different names`);
  }
  for (const name of names) {
    if (!slotPattern.test(name)) throw invalid(`slot ${name}`, 'up to 16 letters, digits, - and _');
  }
  const active = take('active') ?? '';
  if (!names.includes(active)) throw invalid(`active=${active}`, `the slot that boots next: ${names.join(' or ')}`);
  const running = take('running') || undefined;
  if (running !== undefined && !names.includes(running)) {
    throw invalid(`running=${running}`, `the slot that has booted: ${names.join(' or ')}`);
  }
  const pending = take('pending') ?? '';
  if (!['0', '1', 'true', 'false'].includes(pending)) throw invalid(`pending=${pending}`, '1 on probation, else 0');
  const bootCount = take('bootcount') || '0';
  if (!/^[0-9]{1,9}$/.test(bootCount)) throw invalid(`bootcount=${bootCount}`, 'a whole number');
  const slots: Record<string, SlotContent> = Object.create(null) as Record<string, SlotContent>;
  for (const name of names) {
    const uuid = take(`${name}.uuid`);
    if (uuid && !uuidPattern.test(uuid))
      throw invalid(`${name}.uuid=${uuid}`, 'the UUID that `try` was given, or nothing');
    const version = take(`${name}.version`)?.slice(0, 128);
    const product = take(`${name}.product`)?.slice(0, 128);
    slots[name] = { ...(uuid ? { uuid } : {}), ...(version ? { version } : {}), ...(product ? { product } : {}) };
  }
  const [more] = values;
  if (more !== undefined) {
    const known = 'slots, active, running, pending, bootcount, and SLOT.uuid, SLOT.version, SLOT.product';
    throw invalid(more.join('='), known);
  }
  return {
    active,
    ...(running === undefined ? {} : { running }),
    pending: pending === '1' || pending === 'true',
    bootCount: Number(bootCount),
    slots,
  };
}

function lineValues(text: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue;
    const match = /^([A-Za-z0-9_.-]+)=(.*?)\s*$/.exec(line);
    if (match === null) throw invalid(line, 'NAME=VALUE lines, or one JSON object');
    if (values.has(match[1]!)) throw invalid(line, `${match[1]} once`);
    values.set(match[1]!, match[2]!);
  }
  return values;
}

/** `{"slots": {"a": {"uuid": …}, "b": {}}, "active": "a", …}`. */
function jsonValues(text: string): Map<string, string> {
  let document: Record<string, unknown>;
  try {
    document = JSON.parse(text) as Record<string, unknown>;
  } catch (cause) {
    throw invalid(text, `JSON (${(cause as Error).message})`);
  }
  const values = new Map<string, string>();
  for (const [name, value] of Object.entries(document)) {
    if (name === 'slots' && isRecord(value)) {
      values.set('slots', Object.keys(value).join(' '));
      for (const [slot, content] of Object.entries(value)) {
        if (!isRecord(content)) throw invalid(`slots.${slot}: ${JSON.stringify(content)}`, 'an object');
        for (const [key, part] of Object.entries(content)) values.set(`${slot}.${key}`, scalar(`${slot}.${key}`, part));
      }
    } else values.set(name, scalar(name, value));
  }
  return values;
}

function scalar(name: string, value: unknown): string {
  if (value === null) return '';
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw invalid(`${name}: ${JSON.stringify(value)}`, 'a text, a number, true or false');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(seen: string, expected: string): FlotillaError {
  return new FlotillaError('failed', 'slot-script-invalid', 'the slot script did not print the state of the slots', {
    seen: JSON.stringify(seen.slice(0, 120)),
    expected,
  });
}
