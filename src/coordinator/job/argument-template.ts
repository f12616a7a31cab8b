/**
 * `{{key}}` in the arguments of a job, filled in for each device before it is sent, from what the coordinator knows:
 * the same facts by which the selector has matched. So the tags are there, a dry run can show what each device would
 * get, an agent of any version takes it, and the device's own policy judges the arguments as they will run.
 *
 * There is no logic in it. A value is one piece of text within one argument, never a second argument, and what stands in
 * a value is never read as a template or by a shell.
 */
import { FlotillaError } from '../../error.ts';
import type { JobAction, OperatorAction } from '../../protocol/job-action.ts';

/** What a key means on a device; undefined: it has nothing there. */
export type ValueOf = (key: string) => unknown;

/** `{{{{` stands for `{{` itself, and the `}}` behind it for itself. */
const pattern = /\{\{\{\{|\{\{([^{}]*)\}\}|\{\{/g;
const keyPattern = /^(?:id|tag:[\w.-]{1,64}|[\w-]{1,64}(?:[.:][\w-]{1,64}){0,7})$/;

/** Thrown for a device that lacks a value; the reason names the key. */
export class ValueMissing extends Error {}

/** @throws FlotillaError when a `{{` is no key; says where */
export function templateKeys(texts: readonly string[]): string[] {
  const keys = new Set<string>();
  for (const text of texts) {
    for (const [whole, key] of text.matchAll(pattern)) {
      if (whole === '{{{{') continue;
      const name = key?.trim();
      if (name === undefined || !keyPattern.test(name)) throw malformed(text, whole);
      keys.add(name);
    }
  }
  return [...keys];
}

export function fillText(text: string, valueOf: ValueOf, spell: (value: string) => string = (value) => value): string {
  return text.replace(pattern, (whole: string, key: string | undefined) =>
    whole === '{{{{' ? '{{' : spell(valueText(key!.trim(), valueOf)),
  );
}

/**
 * A string for `/bin/sh -c`. Each value goes into a variable first, quoted where nothing else has been opened, and only
 * the variable's name stands in the command: a shell never reads what comes out of a variable as a command, whatever
 * quotes, heredocs or comments stand around it.
 */
export function fillShell(text: string, valueOf: ValueOf): string {
  const names = new Map<string, string>();
  const filled = text.replace(pattern, (whole: string, key: string | undefined, at: number) => {
    if (whole === '{{{{') return '{{';
    const name = names.get(key!.trim()) ?? `flotilla_value_${names.size + 1}`;
    names.set(key!.trim(), name);
    // Within double quotes it is part of that word; outside it must not fall into several.
    return openQuote(text.slice(0, at)) === '"' ? `\${${name}}` : `"\${${name}}"`;
  });
  const values = Array.from(names, ([key, name]) => `${name}='${valueText(key, valueOf).replaceAll("'", "'\\''")}'; `);
  return values.join('') + filled;
}

/** An action as one device gets it. @throws ValueMissing */
export function fillAction(action: JobAction, valueOf: ValueOf): JobAction {
  switch (action.kind) {
    case 'command':
      if (action.shell === true) return { ...action, argv: [fillShell(action.argv.join(' '), valueOf)] };
      return { ...action, argv: action.argv.map((each) => fillText(each, valueOf)) };
    case 'script':
      return { ...action, args: action.args.map((each) => fillText(each, valueOf)) };
    case 'put':
    case 'get':
      return { ...action, path: fillText(action.path, valueOf, asPathPart) };
    default:
      return action;
  }
}

/** @throws FlotillaError when an argument holds a `{{` that is no key, or one that a shell would not see */
export function requireTemplates(action: OperatorAction): void {
  const texts = templatesOf(action);
  templateKeys(texts);
  if (action.kind !== 'command' || action.shell !== true) return;
  const text = texts.join(' ');
  for (const { 0: whole, index } of text.matchAll(pattern)) {
    if (whole === '{{{{' || openQuote(text.slice(0, index)) !== "'") continue;
    throw new FlotillaError(
      'usage',
      'job-template-quoted',
      `${whole} stands in single quotes, where a shell expands nothing`,
      {
        seen: text.slice(Math.max(0, index - 20), index + 40),
        suggestion: 'put it in double quotes, or outside of any: its value is one word there, too',
      },
    );
  }
}

/** The texts of an action that may hold keys. */
export function templatesOf(action: OperatorAction): readonly string[] {
  switch (action.kind) {
    case 'command':
      return action.argv;
    case 'script':
      return action.args;
    case 'put':
    case 'get':
      return [action.path];
    default:
      return [];
  }
}

function valueText(key: string, valueOf: ValueOf): string {
  const value = valueOf(key);
  if (value === undefined || value === null) throw new ValueMissing(`it has no ${key}`);
  if (typeof value === 'object') throw new ValueMissing(`its ${key} is not a single value`);
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  if (text.includes('\0')) throw new ValueMissing(`its ${key} holds a NUL, which no argument can`);
  return text;
}

/** A value must not lead a path to another folder. */
function asPathPart(value: string): string {
  if (value === '' || value === '.' || value === '..' || value.includes('/')) {
    throw new ValueMissing(`${JSON.stringify(value.slice(0, 64))} can't be part of a path`);
  }
  return value;
}

/** The quote that is open behind a text, as far as quotes and backslashes tell. Being wrong costs a quote in the output, never a command. */
function openQuote(text: string): string {
  // The quote that is open, in each `$(` that is open.
  const open = [''];
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!;
    const quote = open.at(-1)!;
    if (character === '\\' && quote !== "'") at++;
    else if (character === '$' && text[at + 1] === '(' && quote !== "'") {
      open.push('');
      at++;
    } else if (quote === '' && character === ')' && open.length > 1) open.pop();
    else if (quote === '' && (character === '"' || character === "'")) open[open.length - 1] = character;
    else if (character === quote) open[open.length - 1] = '';
  }
  return open.at(-1)!;
}

function malformed(text: string, seen: string): FlotillaError {
  return new FlotillaError('usage', 'job-template', 'a {{ in an argument is not followed by a key', {
    seen: text.slice(Math.max(0, text.indexOf(seen)), text.indexOf(seen) + 40),
    expected: '{{id}}, {{tag:NAME}}, or a grain: {{site}}, {{net.ip}}',
    suggestion: 'write {{{{ for two braces that mean themselves',
  });
}
