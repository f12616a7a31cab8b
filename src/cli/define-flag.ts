import { FlotillaError } from '../error.ts';

/** `--define NAME=VALUE`, several times, as variables. */
export function parseDefines(defines: readonly string[] = []): Record<string, string> {
  return Object.fromEntries(
    defines.map((text) => {
      const equals = text.indexOf('=');
      if (equals > 0) return [text.slice(0, equals), text.slice(equals + 1)];
      throw new FlotillaError('usage', 'firmware-define-invalid', `'${text}' defines no variable`, {
        expected: '--define NAME=VALUE',
      });
    }),
  );
}
