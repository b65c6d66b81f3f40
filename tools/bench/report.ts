import { type Row, spread } from './figures.js';
import type { Column, SectionResult, Verdict } from './section.js';

/** A section as an operator reads it: a table, what it means beside its targets, notes. `judge`: whether they count. */
export function printSection(result: SectionResult, judge: boolean): void {
  console.log(`\n${result.title}\n`);
  const header = ['work', 'who', ...result.columns.map(({ title }) => title)];
  const rows = result.figures.rows.map((row) => [
    row.work,
    row.who,
    ...result.columns.map((column) => cell(row, column)),
  ]);
  printTable([header, ...rows]);
  if (result.verdicts.length > 0) console.log('');
  printTable(result.verdicts.filter(({ values }) => values.length > 0).map((verdict) => line(verdict, judge)));
  for (const note of result.notes) console.log(`  ${note}`);
}

/** Columns padded to the same width: words to the left, figures to the right. */
export function printTable(rows: readonly (readonly string[])[]): void {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]!.length))) ?? [];
  for (const row of rows) {
    const cells = row.map((text, column) => {
      const figure = column > 0 && (/^[\d.-]/.test(text) || /^[\d.-]/.test(rows[1]?.[column] ?? ''));
      return figure ? text.padStart(widths[column]!) : text.padEnd(widths[column]!);
    });
    console.log(`  ${cells.join('  ')}`.trimEnd());
  }
}

function cell(row: Row, column: Column): string {
  const values = row.runs.map((run) => run[column.quantity]).filter((value) => value !== undefined);
  if (values.length === 0) return '-';
  return column.spread ? withSpread(values, column.digits) : spread(values).median.toFixed(column.digits);
}

function withSpread(values: readonly number[], digits: number): string {
  const { min, median, max } = spread(values);
  const text = median.toFixed(digits);
  return values.length > 1 ? `${text} (${min.toFixed(digits)}–${max.toFixed(digits)})` : text;
}

function line({ text, values, digits, target }: Verdict, judge: boolean): string[] {
  const figure = withSpread(values, digits);
  if (!target) return [text, figure, ''];
  const { median } = spread(values);
  const reached = 'atLeast' in target ? median >= target.atLeast : median <= target.atMost;
  const wanted = 'atLeast' in target ? `at least ${target.atLeast}` : `at most ${target.atMost}`;
  return [text, figure, judge ? `${reached ? 'reached' : 'MISSED'}: ${wanted}` : `target: ${wanted}`];
}
