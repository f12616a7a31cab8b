import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { describeApi } from '../../../src/coordinator/api/openapi.ts';
import { routes } from '../../../src/coordinator/api/route-list.ts';
import { rights, rolesWith } from '../../../src/coordinator/operator/right.ts';
import { operatorRoles } from '../../../src/role.ts';
import { top } from '../../support/cli.ts';

const document = JSON.parse(JSON.stringify(describeApi(routes, '1.2.3')));
const operations = Object.entries<Record<string, any>>(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
);

/** Every `$ref` below a value. */
function referencesIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => (key === '$ref' ? [String(inner)] : referencesIn(inner)));
}

describe('the OpenAPI document', () => {
  it('has each route, with the roles that the server takes', () => {
    const described = operations.map(({ path, method, operation }) => [
      `${method.toUpperCase()} ${path}`,
      operation['x-flotilla-role'],
    ]);
    const served = routes.map(({ method, path, right }) => [
      `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`,
      [...rolesWith(right)],
    ]);
    expect(described.toSorted()).toEqual(served.toSorted());
  });

  it('names each operation once, and each parameter of its path', () => {
    const ids = operations.map(({ operation }) => operation.operationId as string);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(/^[a-z]+[A-Za-z]*$/);
    for (const { path, operation } of operations) {
      const inPath = (operation.parameters ?? []).filter((one: any) => one.in === 'path').map((one: any) => one.name);
      expect(inPath, path).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
      expect(operation.summary, path).toMatch(/^[A-Z].*[^.]$/);
    }
  });

  it('refers to nothing that it does not hold, and is plain JSON', () => {
    const references = [...new Set(referencesIn(document))];
    expect(references).toContain('#/components/schemas/Device');
    for (const reference of references) {
      const found = reference
        .slice(2)
        .split('/')
        .reduce((at, name) => at?.[name], document);
      expect(found, reference).toBeDefined();
    }
    expect(document).toMatchObject({ openapi: '3.1.0', info: { version: '1.2.3' } });
    expect(document.components.schemas.Operator.properties.role.enum).toEqual([...operatorRoles]);
  });
});

describe('docs/security.md', () => {
  it('has the table of rights and roles as the code decides it', async () => {
    const text = await readFile(join(top, 'docs', 'security.md'), 'utf8');
    const head = `| right | for | ${operatorRoles.join(' | ')} |`;
    const rows = Object.entries(rights).map(([right, { purpose, roles }]) => {
      const marks = operatorRoles.map((role) => ((roles as readonly string[]).includes(role) ? 'yes' : ''));
      return `| \`${right}\` | ${purpose} | ${marks.join(' | ')} |`.replaceAll(/ {2,}/g, ' ');
    });
    const plain = text.replaceAll(/ {2,}/g, ' ');
    for (const row of [head, ...rows]) expect(plain).toContain(row);
  });
});
