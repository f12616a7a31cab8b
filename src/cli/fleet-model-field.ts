/** The files of a simulation: a fleet, and how its devices behave. */
import { isMap, type Node } from 'yaml';
import { choice, integer, list, mapOf, record, report, text, type Field } from '../config/field.ts';
import {
  failureEnds,
  type DeviceKind,
  type FailureEnd,
  type FleetModel,
  type SimulatedStep,
  type Stretch,
  type Who,
} from '../simulation/index.ts';
import { selectorField, shareField, stretchField } from './measure-field.ts';

type Failure = Who & { as?: FailureEnd; reason?: string };
type Wait = Who & { for?: Stretch };
type Flapping = Who & { up?: Stretch; down?: Stretch };

const who = { devices: selectorField, share: shareField };
const step = stretchField;
const wait: Field<Wait> = record<Wait>({ ...who, for: stretchField }, {}, ['devices', 'share', 'for']);

export const fleetModelField: Field<FleetModel> = record<FleetModel>(
  {
    takes: record<Partial<Record<SimulatedStep, Stretch>>>(
      { answer: step, download: step, install: step, reboot: step, test: step, run: step, approval: step },
      {},
      ['answer', 'download', 'install', 'reboot', 'test', 'run', 'approval'],
    ),
    failures: list(
      record<Failure>({ ...who, as: choice(failureEnds), reason: text({ maxLength: 64 }) }, {}, [
        'devices',
        'share',
        'as',
        'reason',
      ]),
    ),
    offline: list(wait),
    flapping: list(
      record<Flapping>({ ...who, up: stretchField, down: stretchField }, {}, ['devices', 'share', 'up', 'down']),
    ),
    deferring: list(wait),
  },
  {},
  ['takes', 'failures', 'offline', 'flapping', 'deferring'],
);

/** What a device reports, or what was attached to it: any YAML. */
const facts: Field<Record<string, unknown>> = (node: Node, key, reading) =>
  isMap(node)
    ? (node.toJS(reading.document) as Record<string, unknown>)
    : report(reading, node, key, { message: `${key} must be a map`, expected: 'name: value' });

interface WrittenDevice {
  id: string;
  grains?: Record<string, unknown>;
  tags?: Record<string, unknown>;
  runningUuid?: string;
}

export interface WrittenFleet {
  devices: WrittenDevice[];
  generate: DeviceKind[];
  groups: Record<string, string>;
}

const id = text({ pattern: /^[a-z0-9{][a-z0-9._%{}-]*$/, expected: 'a device id', maxLength: 63 });

export const fleetField: Field<WrittenFleet> = record<WrittenFleet>(
  {
    devices: list(
      record<WrittenDevice>({ id, grains: facts, tags: facts, runningUuid: text({ maxLength: 36 }) }, {}, [
        'grains',
        'tags',
        'runningUuid',
      ]),
      { max: 100_000 },
    ),
    generate: list(
      record<DeviceKind>({ count: integer({ min: 1, max: 1_000_000 }), id, grains: facts, tags: facts }, {}, [
        'grains',
        'tags',
      ]),
    ),
    groups: mapOf({ expected: 'the name of a group' }, selectorField),
  },
  { devices: [], generate: [], groups: {} },
);
