import { Type, type Static } from 'typebox';

export const SelectRequestSchema = Type.Object({
  selector: Type.String({ minLength: 1, maxLength: 10_240 }),
  deviceId: Type.Optional(Type.String()),
});
export type SelectRequest = Static<typeof SelectRequestSchema>;
export type SelectMatch = { selector: string; count: number; ids: string[] };

/** One node of the selector's tree; `verdict` and `reason` when a device was asked about. */
export interface SelectExplanation {
  text: string;
  kind: string;
  matched: number;
  verdict?: boolean;
  reason?: string;
  children: SelectExplanation[];
}

export interface SelectCount {
  selector: string;
  count: number;
}

export const ValuesRequestSchema = Type.Object({
  /** `G@site`, `I@ring`, `G@net:*:speed`, or `G@` for the keys themselves. */
  place: Type.String({ minLength: 1, maxLength: 10_240 }),
  /** Of these devices; of all when left out. */
  selector: Type.Optional(Type.String({ minLength: 1, maxLength: 10_240 })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100_000 })),
});
export type ValuesRequest = Static<typeof ValuesRequestSchema>;

/** What the devices hold at a place among their grains or tags. */
export interface SelectValues {
  place: string;
  devices: number;
  /** Devices that hold nothing there. */
  missing: number;
  /** Different values, shown or not. */
  distinct: number;
  /** The most frequent first; a device with a list counts once for each of its values. */
  values: { value: string | number | boolean | null; count: number }[];
  /** Keys that lead further down. */
  keys: { key: string; count: number }[];
}

/** What a selector that is being typed may go on as: whole texts. */
export interface SelectCompletion {
  candidates: string[];
}
