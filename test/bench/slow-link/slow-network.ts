import { execa } from 'execa';

/** A device's network namespace behind a slow and lossy link. */
export interface SlowNetwork extends AsyncDisposable {
  readonly namespace: string;
  /** The address outside, where the coordinator listens. */
  readonly host: string;
  /** Bytes that have crossed the link, both directions, headers included. */
  crossedBytes(): Promise<number>;
  /** Packets that the rules have dropped, both directions. */
  droppedPackets(): Promise<number>;
}

export interface SlowNetworkOption {
  bitsPerSecond: number;
  /** One packet in so many is dropped at random, in each direction. */
  dropOneIn: number;
  /** What the buffer before the link holds. */
  queueBytes: number;
}

/** Why it can't be had here, or undefined. Leaves nothing behind. */
export async function whyNoSlowNetwork(): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'network namespaces need Linux';
  try {
    await using network = await createSlowNetwork({ bitsPerSecond: 9_600, dropOneIn: 20, queueBytes: 6_000 });
    await network.droppedPackets();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message.split('\n').slice(0, 2).join(': ') : String(error);
  }
}

/** A veth pair, a token bucket on each end, and an nft rule that drops packets as they come in. */
export async function createSlowNetwork(option: SlowNetworkOption): Promise<SlowNetwork> {
  await using started = new AsyncDisposableStack();
  // Interface names hold 15 characters; the process's number keeps two runs apart.
  const namespace = `flotilla-${process.pid}`;
  const outside = `fl${process.pid}o`;
  const inside = `fl${process.pid}i`;
  const subnet = `10.${200 + (process.pid % 50)}.${(process.pid >> 6) % 250}`;
  const host = `${subnet}.1`;
  const within = ['netns', 'exec', namespace];
  await execa('ip', ['netns', 'add', namespace]);
  started.defer(async () => void (await execa('ip', ['netns', 'del', namespace]))); // and its interface, and the peer
  await execa('ip', ['link', 'add', outside, 'type', 'veth', 'peer', 'name', inside, 'netns', namespace]);
  await execa('ip', ['addr', 'add', `${host}/30`, 'dev', outside]);
  await execa('ip', ['link', 'set', outside, 'up']);
  await execa('ip', [...within, 'ip', 'addr', 'add', `${subnet}.2/30`, 'dev', inside]);
  await execa('ip', [...within, 'ip', 'link', 'set', inside, 'up']);
  const bucket = [
    'root',
    'tbf',
    'rate',
    `${option.bitsPerSecond}bit`,
    'burst',
    '1600',
    'limit',
    `${option.queueBytes}`,
  ];
  await execa('tc', ['qdisc', 'add', 'dev', outside, ...bucket]);
  await execa('ip', [...within, 'tc', 'qdisc', 'add', 'dev', inside, ...bucket]);
  // Dropped where they arrive, so that the sender has paid for them: incoming in the namespace, and incoming outside,
  // where the hook of the device alone (netdev ingress) leaves the rest of the machine untouched.
  const drop = `numgen random mod ${option.dropOneIn} 0 counter drop`;
  const chain = (device: string): string =>
    `table netdev flotilla_${device} {\n chain loss {\n  type filter hook ingress device "${device}" priority 0\n  ${drop}\n }\n}\n`;
  await execa('nft', ['-f', '-'], { input: chain(outside) });
  started.defer(
    async () => void (await execa('nft', ['delete', 'table', 'netdev', `flotilla_${outside}`], { reject: false })),
  );
  await execa('ip', [...within, 'nft', '-f', '-'], { input: chain(inside) });
  const stack = started.move();
  return {
    namespace,
    host,
    async crossedBytes() {
      const { stdout } = await execa('ip', ['-json', '-statistics', 'link', 'show', 'dev', outside]);
      const [link] = JSON.parse(stdout) as { stats64: { rx: { bytes: number }; tx: { bytes: number } } }[];
      return link!.stats64.rx.bytes + link!.stats64.tx.bytes;
    },
    async droppedPackets() {
      const lists = await Promise.all([
        execa('nft', ['list', 'table', 'netdev', `flotilla_${outside}`]),
        execa('ip', [...within, 'nft', 'list', 'table', 'netdev', `flotilla_${inside}`]),
      ]);
      return lists.reduce(
        (sum, { stdout }) => sum + Number(/counter packets (\d+)/.exec(stdout)?.[1] ?? Number.NaN),
        0,
      );
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
