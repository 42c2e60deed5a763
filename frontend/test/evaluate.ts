// Reads one JSON job on stdin and answers on stdout, so that Python can hold this evaluator against its own.
// {model: base64, outputs, rows: [[number|null]], output, space?, background?, explain?: [row...], pairs?: [row...], curves?: [[row, column, grid]]}

import { readFileSync } from "node:fs";
import { CaseTable, Table } from "../src/parts/arrow";
import { openModel } from "../src/parts/page-model";
import { pairsOf } from "../src/parts/pairs";
import { Explainer } from "../src/parts/shapley";

type Row = (number | null)[];
interface Job {
  model: string;
  outputs: number;
  rows: Row[];
  output: number;
  space?: "probability" | "margin";
  background?: Row[];
  explain?: Row[];
  pairs?: Row[];
  curves?: [Row, number, Row][];
  categorical: boolean[];
}

const job = JSON.parse(readFileSync(0, "utf8")) as Job;
const row = (values: Row): Float64Array => Float64Array.from(values, (v) => v ?? NaN);
const model = openModel(new Uint8Array(Buffer.from(job.model, "base64")), job.outputs);
const answer: { [key: string]: unknown } = { predict: job.rows.map((r) => Array.from(model.predict(row(r)))) };

const cases = new CaseTable(job.rows.length, job.categorical);
const columns = new Map<string, Float64Array>();
job.categorical.forEach((category, j) => {
  columns.set(`f${j}`, Float64Array.from(job.rows, (r) => (r[j] === null && category ? -2 : (r[j] ?? NaN))));
});
cases.put(0, new Table(job.rows.length, columns));
answer["batch"] = Array.from(await model.predictRows(cases, job.output));
answer["curves"] = (job.curves ?? []).map(([r, j, grid]) => Array.from(model.curve(row(r), j, row(grid), job.output, job.space)));
if (job.explain && job.background) {
  const explainer = new Explainer(model, Float64Array.from(job.background.flat(), (v) => v ?? NaN));
  answer["explained"] = job.explain.map((r) => {
    const { values, errors, base, prediction, exact } = explainer.now(row(r), job.output, job.space);
    return { values: Array.from(values), errors: errors && Array.from(errors), base, prediction, exact };
  });
}
if (job.pairs && job.background) {
  const explainer = new Explainer(model, Float64Array.from(job.background.flat(), (v) => v ?? NaN));
  const asked = { output: job.output, space: job.space ?? "probability" };
  const found = [];
  for (const r of job.pairs) found.push(Array.from((await pairsOf(explainer, row(r), asked)) ?? []));
  answer["pairs"] = found;
}
process.stdout.write(JSON.stringify(answer));
