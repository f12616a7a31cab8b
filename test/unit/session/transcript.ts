import { Buffer } from 'node:buffer';
import type { Row } from '../../../src/protocol/lane.ts';
import { CoordinatorSession } from '../../../src/session/coordinator-session.ts';
import { DeviceSession } from '../../../src/session/device-session.ts';

const option = { keepaliveMs: 240_000, answerTimeoutMs: 20_000, helloTimeoutMs: 10_000 };
const reading = (minute: number, text: string): Row => ({
  type: 'reading',
  key: 'meter/17',
  timestampMs: 1_700_000_000_000 + minute * 60_000,
  schema: 0n,
  payload: Buffer.from(text),
});

/** A short session of a device that comes back with two readings and finds a request; what each side writes, in turn. */
export function transcript(): string[] {
  const device = new DeviceSession(
    {
      instanceId: 5n,
      knownCoordinatorInstanceId: 0n,
      nextSeq: [1, 1, 1, 43],
      requestCursor: [0, 0, 0, 0],
      agentVersion: '1.0.0',
      newInstance: false,
    },
    option,
    0,
  );
  const coordinator = new CoordinatorSession(option, 0);
  const lines: string[] = [];
  const turn = (by: 'D' | 'C'): void => {
    const [from, to] = by === 'D' ? [device, coordinator] : [coordinator, device];
    const bytes = from.flush(0, 16_384)!;
    to.receive(bytes, 0);
    lines.push(`${by} ${Buffer.from(bytes).toString('hex')}`);
  };
  turn('D');
  coordinator.admit({ coordinatorInstanceId: 77n, sessionId: 7, eventCursor: [0, 0, 0, 40], serverTimeMs: 1 });
  turn('C');
  device.enqueue(3, 42, [reading(0, '{"v":1}'), reading(1, '{"v":2}')]);
  turn('D');
  coordinator.acknowledge(3, 43);
  coordinator.enqueue(0, 1, [
    { type: 'job.cancel', key: 'j-1', timestampMs: 5, schema: 0n, payload: Buffer.from('{}') },
  ]);
  turn('C');
  device.acknowledge(0, 1);
  turn('D');
  coordinator.close('shutting-down', '', 1_000);
  turn('C');
  return lines;
}
