/** RFC 4180: fields with a comma, a quote or a line break stand in quotes; lines end in CR LF. */
export function formatCsvLine(fields: readonly (string | number | undefined)[]): string {
  return `${fields.map(fieldOf).join(',')}\r\n`;
}

function fieldOf(value: string | number | undefined): string {
  const text = String(value ?? '');
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
