/**
 * The one error class of the project. An error says what was seen, what was expected and what to try;
 * `fault` names who must act and decides the exit code (see src/cli/exit-code.ts).
 */

/** Who must act. `ours` is a bug or a broken machine; everything else is for the person at the keyboard. */
export type Fault =
  | 'usage' // bad flags, files or expressions
  | 'none-matched' // a selector that is valid and matches nobody
  | 'refused' // a safety rule said no
  | 'unreachable' // the coordinator does not answer
  | 'forbidden' // the operator may not do this
  | 'failed' // the thing was tried and failed (verification, build, a device's refusal)
  | 'undecided' // no answer in time: it may have happened or not
  | 'ours';

export interface ErrorDetail {
  /** What was found, verbatim where possible. */
  seen?: string;
  /** What would have been right. */
  expected?: string;
  /** The next step for the reader: a command, a file to mend. */
  suggestion?: string;
  /** File, 1-based line and column, for everything that a person wrote. */
  position?: Position;
  /** The offending source line with a caret line below it, ready to print. */
  excerpt?: string;
  /** How fwup says it, where scripts know its words: printed by flotilla-fwup only, never part of a document. */
  fwup?: string;
  cause?: unknown;
}

export interface Position {
  file?: string;
  line: number;
  column: number;
}

export class FlotillaError extends Error {
  readonly code: string;
  readonly fault: Fault;
  readonly detail: ErrorDetail;

  /**
   * @param fault who must act
   * @param code stable, kebab-case, prefixed by the area: `selector-unknown-engine`, `firmware-no-key`
   * @param message one sentence, no full stop needed
   */
  constructor(fault: Fault, code: string, message: string, detail: ErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.name = 'FlotillaError';
    this.code = code;
    this.fault = fault;
    this.detail = detail;
  }

  /** The shape that travels: in `--json` output and in API replies. */
  toJSON(): ErrorDocument {
    const { seen, expected, suggestion, position, excerpt } = this.detail;
    return {
      code: this.code,
      fault: this.fault,
      message: this.message,
      ...(seen === undefined ? {} : { seen }),
      ...(expected === undefined ? {} : { expected }),
      ...(suggestion === undefined ? {} : { suggestion }),
      ...(position === undefined ? {} : { position }),
      ...(excerpt === undefined ? {} : { excerpt }),
    };
  }

  static fromJSON(document: ErrorDocument): FlotillaError {
    const { code, fault, message, ...detail } = document;
    return new FlotillaError(fault, code, message, detail);
  }
}

export interface ErrorDocument {
  code: string;
  fault: Fault;
  message: string;
  seen?: string;
  expected?: string;
  suggestion?: string;
  position?: Position;
  excerpt?: string;
}

/** The errno name (`ENOENT`, `ENOSPC`, …) of a system error, or undefined. */
export function systemErrorCode(error: unknown): string | undefined {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return undefined;
}
