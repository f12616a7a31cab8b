/**
 * Bounds of the language. They are checked before any work, so that no text, however odd, costs more than
 * parsing 10 kB. (A list needs no bound of its own: 10 kB hold at most 5,120 ids.)
 */
export const selectorLimit = {
  /** UTF-8 bytes of one expression. */
  maxExpressionBytes: 10_240,
  /** Parentheses inside parentheses. */
  maxDepth: 64,
  /** Levels of one fact term: `G@a:b:c` has three. */
  maxFactLevels: 64,
  /** How deep `**` looks into a device's facts. */
  maxFactDepth: 64,
  /** Groups inside groups. */
  maxGroupDepth: 16,
  /** Terms and operators of a selector with its groups written out: ten groups that each name the next one twice
   * would be a thousand terms, and thirty a billion. */
  maxNodes: 20_000,
} as const;
