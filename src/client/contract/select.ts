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
