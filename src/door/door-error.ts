import { FlotillaError, type ErrorDetail, type ErrorDocument, type Fault } from '../error.ts';

/** An error as it travels through the door. */
export interface DoorErrorDocument extends ErrorDocument {
  /** Nothing was stored for now: try again after this. */
  retryAfterMs?: number;
  /** Which of the rows of one publish, from 0. */
  row?: number;
}

/** What the agent said no to. */
export class DoorError extends FlotillaError {
  readonly retryAfterMs: number | undefined;
  readonly row: number | undefined;

  constructor(
    fault: Fault,
    code: string,
    message: string,
    { retryAfterMs, row, ...detail }: ErrorDetail & { retryAfterMs?: number; row?: number } = {},
  ) {
    super(fault, code, message, detail);
    this.retryAfterMs = retryAfterMs;
    this.row = row;
  }

  override toJSON(): DoorErrorDocument {
    return {
      ...super.toJSON(),
      ...(this.retryAfterMs === undefined ? {} : { retryAfterMs: this.retryAfterMs }),
      ...(this.row === undefined ? {} : { row: this.row }),
    };
  }

  static override fromJSON({ code, fault, message, ...detail }: DoorErrorDocument): DoorError {
    return new DoorError(fault, code, message, detail);
  }
}

/** The same error, said of one row of several. */
export function errorOfRow(error: FlotillaError, row: number): DoorError {
  return DoorError.fromJSON({ ...error.toJSON(), row });
}
