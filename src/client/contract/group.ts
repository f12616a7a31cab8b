import { Type, type Static } from 'typebox';

export const groupNamePattern = '^[A-Za-z0-9_][A-Za-z0-9._-]{0,62}$';

/** A selector with a name: `N@name` in any other one. */
export interface Group {
  name: string;
  expression: string;
  /** Accepted devices that match now. */
  matched: number;
  /** What names it: other groups, consumers of the log. */
  usedBy: string[];
  changedBy: string;
  createdAtMs: number;
  changedAtMs: number;
}

export const GroupRequestSchema = Type.Object({
  name: Type.String({ pattern: groupNamePattern }),
  expression: Type.String({ minLength: 1, maxLength: 10_240 }),
  /** Takes the place of the group of this name, if there is one. */
  replace: Type.Optional(Type.Boolean()),
  /** Also when others name it, and mean other devices from then on. */
  evenIfUsed: Type.Optional(Type.Boolean()),
});
export type GroupRequest = Static<typeof GroupRequestSchema>;

export interface GroupAdded extends Group {
  /** How many devices the one before it matched. */
  matchedBefore?: number;
}
