export interface ParsedTarget {
  user?: string;
  host: string;
  port?: number;
}

/** `host`, `user@host`, `host:port`, `user@[fd00::1]:port`; undefined for what is none. */
export function parseTarget(text: string): ParsedTarget | undefined {
  const match =
    /^(?:([A-Za-z0-9_][A-Za-z0-9_.-]{0,63})@)?(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9][A-Za-z0-9.-]{0,252}))(?::([0-9]{1,5}))?$/.exec(
      text,
    );
  if (match === null) return undefined;
  const [, user, address, name, port] = match;
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)) return undefined;
  return {
    host: address ?? name!,
    ...(user === undefined ? {} : { user }),
    ...(port === undefined ? {} : { port: Number(port) }),
  };
}
