import { Type } from 'typebox';

/** Fields that several routes have in their path or query. */
export const text = Type.String({ minLength: 1, maxLength: 10_240 });
export const Id = Type.Object({ id: Type.String({ minLength: 1, maxLength: 256 }) });
/** The body of a POST that needs nothing but its path. */
export const EmptyBody = Type.Object({});
