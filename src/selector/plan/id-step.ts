import type { IdGlobTerm, IdListTerm, IdRegexTerm } from '../ast.ts';
import { compileGlob, leadingTextOf, literalOf } from '../glob.ts';
import { compileRegex } from '../regex.ts';
import { DeviceSet } from './device-set.ts';
import type { FleetIndex } from './fleet-index.ts';
import { numberStep, scanStep } from './scan-step.ts';
import { testEffort, type Step } from './step.ts';

export function bindIds(index: FleetIndex, term: IdGlobTerm | IdListTerm | IdRegexTerm): Step {
  switch (term.kind) {
    case 'id-list':
      return numberStep(term.ids.flatMap((id) => index.numberOf(id) ?? []));
    case 'id-glob':
      return bindGlob(index, term.pattern);
    case 'id-regex': {
      const matches = compileRegex(term.source, { ignoreCase: false });
      return scanStep((number) => matches(index.idOf(number)), index.size * testEffort.walk);
    }
  }
}

function bindGlob(index: FleetIndex, pattern: string): Step {
  const literal = literalOf(pattern);
  if (literal !== undefined) return numberStep([index.numberOf(literal) ?? []].flat());
  const { text: prefix, isAll } = leadingTextOf(pattern);
  const matches = compileGlob(pattern);
  if (prefix === '' && isAll) return { effort: 0, select: (within) => within.copy() };
  if (prefix === '') return scanStep((number) => matches(index.idOf(number)), index.size * testEffort.text);
  return {
    effort: 1,
    select: (within) => {
      const found = DeviceSet.withRoom(index.room);
      index.order.forEachWithPrefix(prefix, (number) => {
        if (within.has(number) && (isAll || matches(index.idOf(number)))) found.add(number);
      });
      return found;
    },
  };
}
