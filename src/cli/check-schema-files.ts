import type { SchemaList } from '../client/contract/index.ts';
import { FlotillaError } from '../error.ts';
import { checkSchema, parseSchema, type Incompatibility, type LabelledSchema } from '../eventlog/schema/index.ts';
import type { SchemaFile } from './read-schema-files.ts';

export interface SchemaReport {
  ok: boolean;
  /** What the files were compared with: also what is registered, or each other alone. */
  against: 'coordinator' | 'files';
  checked: { label: string; type: string; fingerprint: string; sha256: string; registeredAs?: number }[];
  incompatibilities: Incompatibility[];
  /** With what devices have told and nobody has registered: it does not stop a registration. */
  warnings: Incompatibility[];
}

/** Every file against every registered version of its type and every file before it, both ways. */
export function checkSchemaFiles(files: readonly SchemaFile[], stored: SchemaList | undefined): SchemaReport {
  const report: SchemaReport = {
    ok: true,
    against: stored === undefined ? 'files' : 'coordinator',
    checked: [],
    incompatibilities: [],
    warnings: [],
  };
  const histories = new Map<string, LabelledSchema[]>();
  const unreviewed: LabelledSchema[] = [];
  for (const { type, version, state, text, fingerprint } of stored?.schemas ?? []) {
    const schema = parseSchema(text!);
    if (state === 'unreviewed') unreviewed.push({ label: `unreviewed ${fingerprint}`, schema });
    else histories.set(type, [...(histories.get(type) ?? []), { label: `version ${version}`, schema }]);
  }
  for (const file of files) {
    const candidate = { label: file.label, schema: parseFile(file) };
    const { type, fingerprint, sha256 } = candidate.schema;
    const older = histories.get(type) ?? [];
    const known = older.findIndex(({ schema }) => schema.sha256 === sha256);
    const registered = stored?.schemas.find((row) => row.sha256 === sha256)?.version;
    report.checked.push({
      label: file.label,
      type,
      fingerprint,
      sha256,
      ...(registered === undefined ? {} : { registeredAs: registered }),
    });
    if (known >= 0) continue;
    report.incompatibilities.push(...checkSchema(candidate, older));
    const told = unreviewed.filter(({ schema }) => schema.type === type && schema.sha256 !== sha256);
    for (const one of told) {
      // Rules about the candidate alone were reported above.
      report.warnings.push(...checkSchema(candidate, [one]).filter(({ older: label }) => label === one.label));
    }
    histories.set(type, [...older, candidate]);
  }
  report.ok = report.incompatibilities.length === 0;
  return report;
}

function parseFile({ label, text }: SchemaFile) {
  try {
    return parseSchema(text);
  } catch (error) {
    if (!(error instanceof FlotillaError)) throw error;
    throw new FlotillaError(error.fault, error.code, `${label}: ${error.message}`, error.detail);
  }
}
