/** Who operates a fleet. What each may do stands in src/coordinator/operator/right.ts; they are not one ladder. */
export const operatorRoles = ['technician', 'release', 'operator', 'viewer', 'admin'] as const;
export type OperatorRole = (typeof operatorRoles)[number];

export function isOperatorRole(text: string): text is OperatorRole {
  return (operatorRoles as readonly string[]).includes(text);
}
