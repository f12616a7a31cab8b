/** A command of the one-file agent. */
export interface DeviceCommand {
  /** `--name VALUE`, one a line; the first words of the line are the synopsis. */
  usage: string;
  summary: string;
  /** `parseArgs`'s options; `--json` and `--help` are everybody's. */
  options: Record<string, { type: 'string' | 'boolean' }>;
  /** It takes one argument, whose value is `file`. */
  takesFile?: true;
  run(values: Values, context: CommandContext): Promise<CommandOutcome>;
}

export type Values = Readonly<Record<string, string | boolean | undefined>>;

export interface CommandContext {
  version: string;
  /** This very program, where it is one file. */
  agentFile: string;
}

export interface CommandOutcome {
  /** What `--json` prints. */
  data: unknown;
  /** What a person reads. */
  text: string;
  /** 0 when absent. */
  exitCode?: number;
}

/** The text behind a flag, if it was given. */
export function textOf(values: Values, name: string): string | undefined {
  const value = values[name];
  return typeof value === 'string' ? value : undefined;
}
