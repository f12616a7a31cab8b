import { FlotillaError } from '../error.ts';
import type { ComparisonTerm, FactTerm, SelectorNode } from './ast.ts';
import type { FactPattern } from './fact-pattern.ts';
import { addressesOf, momentOf, type CompiledNode, type Moment, type Target } from './evaluate.ts';
import { textOfFact } from './fact-text.ts';
import { hasFact } from './fact-walk.ts';
import { formatNode } from './format.ts';
import type { Selector } from './selector.ts';

export interface Explanation {
  /** This part of the selector, in canonical form. */
  text: string;
  kind: SelectorNode['kind'];
  /** Devices of the fleet that this part alone matches. */
  matched: number;
  /** For one device: does this part match it? */
  verdict?: boolean;
  /** For one device: what was found on it. */
  reason?: string;
  children: Explanation[];
}

/** Values shown in a reason, and characters of each. */
const maxShownValues = 3;
const maxShownCharacters = 60;

/**
 * The tree of a selector with the count of each part, and for one device why each part holds or not. Uses the same
 * compiled tests as `matches`.
 * @throws FlotillaError `usage`, when `deviceId` is not in the fleet
 */
export function explainSelector(
  selector: Selector,
  fleet: readonly Target[],
  nowMs: number,
  deviceId?: string,
): Explanation {
  const explanation = describe(selector.compiled);
  const moment = momentOf(nowMs, () => fleet.map(({ id }) => id));
  let device: Target | undefined;
  for (const target of fleet) {
    count(selector.compiled, explanation, target, moment);
    if (target.id === deviceId) device = target;
  }
  if (deviceId === undefined) return explanation;
  if (device === undefined) throw unknownDevice(deviceId);
  judge(selector.compiled, explanation, device, moment);
  return explanation;
}

export function unknownDevice(deviceId: string): FlotillaError {
  return new FlotillaError('usage', 'selector-unknown-device', `no device ${deviceId}`, {
    seen: deviceId,
    expected: 'the id of a known device',
    suggestion: 'flotilla device list',
  });
}

/** The tree with nothing counted yet. */
export function describe(compiled: CompiledNode): Explanation {
  const { node, children } = compiled;
  return { text: formatNode(node), kind: node.kind, matched: 0, children: children.map(describe) };
}

/** No short circuit: each part is counted by itself. */
function count(compiled: CompiledNode, explanation: Explanation, target: Target, moment: Moment): void {
  if (compiled.test(target, moment)) explanation.matched += 1;
  for (const [index, child] of compiled.children.entries()) {
    const childExplanation = explanation.children[index];
    if (childExplanation !== undefined) count(child, childExplanation, target, moment);
  }
}

/** Adds what each part says of one device. */
export function judge(compiled: CompiledNode, explanation: Explanation, target: Target, moment: Moment): void {
  explanation.verdict = compiled.test(target, moment);
  const reason = reasonFor(compiled, target, explanation.verdict, moment);
  if (reason !== undefined) explanation.reason = reason;
  for (const [index, child] of compiled.children.entries()) {
    const childExplanation = explanation.children[index];
    if (childExplanation !== undefined) judge(child, childExplanation, target, moment);
  }
}

function reasonFor(compiled: CompiledNode, target: Target, verdict: boolean, moment: Moment): string | undefined {
  const { node, fact, comparison } = compiled;
  switch (node.kind) {
    case 'id-glob':
    case 'id-regex':
      return `the id is ${target.id}`;
    case 'id-list':
      return verdict ? `${target.id} is in the list` : `${target.id} is not in the list of ${node.ids.length}`;
    case 'address': {
      const addresses = addressesOf(target);
      return addresses.length === 0 ? 'the device reports no address' : `its addresses are ${shorten(addresses)}`;
    }
    case 'fact':
      return fact === undefined ? undefined : factReason(node, node.levels.slice(0, -1), target, fact, moment);
    case 'comparison': {
      // What an unequal sign was broken by says more than what the other signs were satisfied by.
      const { wanted, unwanted } = comparison ?? {};
      const broken = unwanted !== undefined && hasFact(target[node.from], unwanted, moment.nowMs);
      const shown = broken ? unwanted : wanted;
      return shown === undefined ? undefined : factReason(node, node.keys, target, shown, moment);
    }
    case 'sample':
      return `${target.id} was ${verdict ? '' : 'not '}drawn`;
    default:
      return undefined;
  }
}

function factReason(
  term: FactTerm | ComparisonTerm,
  keys: readonly string[],
  target: Target,
  pattern: FactPattern,
  { nowMs }: Moment,
): string {
  const found = new Map<string, unknown>();
  const matched = new Map<string, unknown>();
  hasFact(target[term.from], pattern, nowMs, (path, value, isMatch) => {
    (isMatch ? matched : found).set(path.join(term.delimiter), value);
  });
  const what = term.from === 'grains' ? 'grain' : 'tag';
  const shown = matched.size > 0 ? matched : found;
  if (shown.size === 0) return `the device has no ${what} ${keys.join(term.delimiter)}`;
  return `${what} ${shorten([...shown].map(([path, value]) => `${path} is ${show(value)}`))}`;
}

/** Containers by the depth-capped printer: a device may nest as deep as it likes. */
function show(value: unknown): string {
  return typeof value === 'object' && value !== null ? textOfFact(value) : (JSON.stringify(value) ?? 'nothing');
}

function shorten(parts: string[]): string {
  const shown = parts.slice(0, maxShownValues).map((part) => {
    const characters = Array.from(part);
    return characters.length > maxShownCharacters ? `${characters.slice(0, maxShownCharacters).join('')}…` : part;
  });
  const more = parts.length - shown.length;
  return shown.join(', ') + (more > 0 ? `, and ${more} more` : '');
}
