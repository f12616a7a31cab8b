import { FlotillaError } from '../error.ts';

/**
 * The words of a command that is given in one string: split at blanks, with quotes and backslashes as a shell has them.
 * Nothing else means anything: what a shell would do with it is not done, so it is refused rather than passed on.
 */
export function splitWords(text: string, flag: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!;
    const next = text[at + 1];
    if (quote === "'" ? character === "'" : quote === '"' && character === '"') quote = '';
    else if (character === '\\' && quote !== "'" && next !== undefined && (quote === '' || /["\\$`]/.test(next))) {
      word = (word ?? '') + next;
      at++;
    } else if (quote !== '') word = (word ?? '') + character;
    else if (character === '"' || character === "'") {
      quote = character;
      word ??= '';
    } else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (/[|&;<>()$`\\]/.test(character)) throw notPlain(text, character, flag);
    else word = (word ?? '') + character;
  }
  if (quote !== '') {
    throw new FlotillaError('usage', 'words-quote-open', `a quote in ${flag} is not closed`, { seen: text });
  }
  return word === undefined ? words : [...words, word];
}

function notPlain(text: string, character: string, flag: string): FlotillaError {
  return new FlotillaError('usage', 'words-need-shell', `${flag} holds what only a shell understands`, {
    seen: `${character} in ${text}`,
    suggestion: `quote it, or add --shell`,
  });
}
