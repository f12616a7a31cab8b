import { Type, type Static } from 'typebox';

const shareText = () => Type.String({ pattern: '^[0-9]+(\\.[0-9]+)?%$' });
const stretch = () => Type.Union([Type.String({ maxLength: 64 }), Type.Number({ minimum: 0 })]);

/** Which devices: of those that the selector matches (all, when left out), so large a share (all, when left out). */
const who = { devices: Type.Optional(Type.String({ maxLength: 10_240 })), share: Type.Optional(shareText()) };

export const failureEnds = ['rolled-back', 'failed', 'rejected', 'silent'] as const;
/** `silent`: it never comes back from its restart. */
export type FailureEnd = (typeof failureEnds)[number];

/** How the devices of a fleet behave under an update. */
export const FleetModelSchema = Type.Object(
  {
    /** How long each step takes. */
    takes: Type.Optional(
      Type.Object(
        {
          /** Until the device takes the offer up. */
          answer: Type.Optional(stretch()),
          download: Type.Optional(stretch()),
          install: Type.Optional(stretch()),
          reboot: Type.Optional(stretch()),
          test: Type.Optional(stretch()),
        },
        { additionalProperties: false },
      ),
    ),
    failures: Type.Optional(
      Type.Array(
        Type.Object(
          {
            ...who,
            /** `rolled-back` when left out: it does not pass its health checks. */
            as: Type.Optional(Type.Enum(failureEnds)),
            reason: Type.Optional(Type.String({ maxLength: 64 })),
          },
          { additionalProperties: false },
        ),
      ),
    ),
    /** Away from the start; `for` when left out: for good. */
    offline: Type.Optional(
      Type.Array(Type.Object({ ...who, for: Type.Optional(stretch()) }, { additionalProperties: false })),
    ),
    /** Their link comes and goes. */
    flapping: Type.Optional(
      Type.Array(
        Type.Object(
          { ...who, up: Type.Optional(stretch()), down: Type.Optional(stretch()) },
          { additionalProperties: false },
        ),
      ),
    ),
    /** Their product puts the update off. */
    deferring: Type.Optional(
      Type.Array(Type.Object({ ...who, for: Type.Optional(stretch()) }, { additionalProperties: false })),
    ),
  },
  { additionalProperties: false },
);
export type FleetModel = Static<typeof FleetModelSchema>;

/** Of what a model does not say. */
export const defaultTakes = {
  answer: '1s',
  download: '30s..3m',
  install: '20s..1m',
  reboot: '20s..1m',
  test: '30s',
} as const;
export const defaultFlapping = { up: '~10m', down: '~2m' } as const;
export const defaultDeferral = '1h';
