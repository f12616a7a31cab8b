/** The engines: one letter before `@` says how a term matches. A letter that is not here is an error, never a glob. */
export interface Engine {
  letter: string;
  /** What the term tests, for messages and help. */
  title: string;
  example: string;
  /** May carry another delimiter between letter and `@`. */
  takesDelimiter: boolean;
  /** The value is a regular expression: parentheses inside belong to it. */
  isRegex: boolean;
}

export const engines: readonly Engine[] = [
  { letter: 'G', title: 'grain by glob', example: 'G@site:fra', takesDelimiter: true, isRegex: false },
  { letter: 'P', title: 'grain by regex', example: 'P@os:(debian|alpine)$', takesDelimiter: true, isRegex: true },
  { letter: 'I', title: 'tag by glob', example: 'I@ring:canary', takesDelimiter: true, isRegex: false },
  { letter: 'J', title: 'tag by regex', example: 'J@ring:^c', takesDelimiter: true, isRegex: true },
  { letter: 'E', title: 'id by regex', example: 'E@web-\\d+$', takesDelimiter: false, isRegex: true },
  { letter: 'L', title: 'list of ids', example: 'L@db1,db2', takesDelimiter: false, isRegex: false },
  { letter: 'S', title: 'address or network', example: 'S@10.1.0.0/16', takesDelimiter: false, isRegex: false },
  { letter: 'N', title: 'named group', example: 'N@canary', takesDelimiter: false, isRegex: false },
];

export function findEngine(letter: string): Engine | undefined {
  return engines.find((engine) => engine.letter === letter);
}

/** `G@ (grain by glob), P@ (grain by regex), …` */
export function listEngines(): string {
  const letters = engines.map((engine) => `${engine.letter}@ (${engine.title})`);
  return [...letters, '%10@ and #50@ (samples)'].join(', ');
}

/** The start of a term as it was written: `G@`, `G|@`, or something that only looks like it. */
export interface EnginePrefix {
  letter: string;
  delimiter?: string;
  /** Of a sample: what stands between `%` or `#` and `@`, whatever it is. */
  amount?: string;
  /** UTF-16 length, `@` included. */
  length: number;
}

/** `G@@os@Debian` has the delimiter `@`, so the longer reading comes first, as in Salt. */
const withDelimiter = /^([GPIJ])(\S)@/u;
const plainPrefix = /^([A-Za-z])@/u;
/** `L|@`, `g|@`, `G||@`: certainly meant as an engine, certainly none. */
const malformedPrefix = /^([A-Za-z])([^\p{L}\p{N}\s_*?[\]@'"\\()]+)@/u;
/** No device's id starts with these signs, so whatever stands before the `@` was meant as the size of a sample. */
const samplePrefix = /^([%#])([^\s@'"\\()]*)@/u;

/** Reads a prefix at the start of `text`; undefined for a bare word such as `edge@home`. */
export function readEnginePrefix(text: string): EnginePrefix | undefined {
  const delimited = withDelimiter.exec(text);
  if (delimited?.[1] !== undefined && delimited[2] !== undefined) {
    return { letter: delimited[1], delimiter: delimited[2], length: delimited[0].length };
  }
  const plain = plainPrefix.exec(text);
  if (plain?.[1] !== undefined) return { letter: plain[1], length: plain[0].length };
  const sample = samplePrefix.exec(text);
  if (sample?.[1] !== undefined) return { letter: sample[1], amount: sample[2] ?? '', length: sample[0].length };
  const malformed = malformedPrefix.exec(text);
  if (malformed?.[1] === undefined) return undefined;
  return { letter: malformed[1], delimiter: malformed[0].slice(1, -1), length: malformed[0].length };
}
