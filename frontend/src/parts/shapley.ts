// Interventional Shapley values in the page, of a prediction or of its margin: the twin of kernels/enumerate_forest.py.
//
// The game is v(C) = mean over background rows z of f(x_C, z_rest). A margin (or a model without a link) has a closed form.
// Through a link, one walk per background row gives the margins of all coalitions of the columns in which it differs from
// the row; they go through the link and are weighed. Background rows are taken in a fixed shuffled order, so a part of them
// is already an estimate with a standard error; all of them are exact. Where a background row differs in too many columns,
// permutations and their reverses are sampled instead.
//
// An unfinished estimate uses what is known exactly, f(x) and the average prediction: every row's values add up to
// f(x) - f(z), so regressing them on that sum makes them add up to the true difference, and shrinks their errors.

import type { Space } from "./types";
import { inSlices } from "./calls";
import { MOST_COLUMNS } from "./forest-game";
import type { Game, PageModel } from "./page-model";

export interface Explained {
  /** What each column added, in order of the columns; `base + sum(values) = prediction`. */
  values: Float64Array;
  /** One standard error of each value; null when exact. */
  errors: Float64Array | null;
  /** The average over the background, exact. */
  base: number;
  prediction: number;
  exact: boolean;
  /** Background rows (or pairs of permutations) used so far, of how many there are. */
  used: number;
  total: number;
}

export interface ExplainOptions {
  output: number;
  space?: Space;
  signal?: AbortSignal;
  /** Called with the estimate after the first slice and every further one; not with the final answer. */
  onProgress?: (part: Explained) => void;
  /** Milliseconds at a stretch. */
  budget?: number;
}

/** Coalitions that may be weighed for one row before sampling is cheaper. */
const MOST_COALITIONS = 24e6;
const COARSE = 16;
const MOST_SAMPLES = 3000;
const MOST_MS = 2500;
/** Sampling stops when every standard error is below this share of the largest value. */
const FINE = 0.004;
const REMEMBERED = 256;

/** Explains rows of one model against one background; remembers the last few hundred answers. */
export class Explainer {
  private order: Int32Array;
  private averages = new Map<string, number>();
  private known = new Map<string, Explained>();

  constructor(
    readonly model: PageModel,
    /** Encoded rows, row-major. */
    readonly background: Float64Array,
  ) {
    this.order = shuffled(background.length / model.raw.features);
  }

  /** The exact answer when it was already given. */
  recall(row: ArrayLike<number>, output: number, space: Space = "probability"): Explained | undefined {
    return this.known.get(keyOf(row, output, space));
  }

  /** Explains one row: coarse first, then finer, then exact. Rejects with AbortError when aborted. */
  async explain(row: ArrayLike<number>, options: ExplainOptions): Promise<Explained> {
    const { output, space = "probability", signal, onProgress, budget = 8 } = options;
    const key = keyOf(row, output, space);
    const before = this.known.get(key);
    if (before) return before;
    let last = performance.now();
    const report = (make: () => Explained): void => {
      if (!onProgress || performance.now() - last < budget) return; // an answer that takes one slice comes once, exact
      last = performance.now();
      onProgress(make());
    };
    const answer = await inSlices(this.steps(Float64Array.from(row), output, space, report), { budget, signal });
    this.remember(key, answer);
    return answer;
  }

  /** The same without yielding: for tests, and for the first `rows` background rows within a frame. */
  now(row: ArrayLike<number>, output: number, space: Space = "probability", rows = Infinity): Explained {
    const before = this.recall(row, output, space);
    if (before) return before;
    const steps = this.steps(Float64Array.from(row), output, space, () => {}, rows);
    let step = steps.next();
    while (!step.done) step = steps.next();
    if (step.value.exact) this.remember(keyOf(row, output, space), step.value);
    return step.value;
  }

  /** The average prediction (or margin) over the background. */
  average(output: number, space: Space = "probability"): number {
    const key = `${output} ${space}`;
    let known = this.averages.get(key);
    if (known === undefined) {
      const { features } = this.model.raw;
      let sum = 0;
      for (let at = 0; at < this.background.length; at += features) {
        sum += this.model.predictOne(this.background.subarray(at, at + features), output, space);
      }
      known = sum / Math.max(1, this.order.length);
      this.averages.set(key, known);
    }
    return known;
  }

  private remember(key: string, answer: Explained): void {
    this.known.set(key, answer);
    if (this.known.size > REMEMBERED) this.known.delete(this.known.keys().next().value as string);
  }

  private *steps(
    row: Float64Array,
    output: number,
    space: Space,
    report: (make: () => Explained) => void,
    rows = Infinity,
  ): Generator<unknown, Explained> {
    const { model, order } = this;
    const game = model.raw.game(row, this.background);
    const closed = space === "margin" || model.raw.link === "identity";
    const target = { base: this.average(output, space), prediction: model.predictOne(row, output, space) };
    if (!closed && !affordable(game, order, model.raw.marginOutputs)) {
      return yield* this.sample(game, row, { output, rows, ...target }, report);
    }
    const sums = new Sums(model.raw.features, order.length, true);
    const one = closed ? this.closedForm(game, output) : this.enumerated(game, output);
    const stop = Math.min(rows, order.length);
    for (let at = 0; at < stop; at++) {
      sums.add(one(order[at] as number));
      if (at + 1 >= COARSE && at + 1 < stop) report(() => sums.answer(target));
      yield;
    }
    return sums.answer(target);
  }

  /** Values of the margin of an output against one background row. */
  private closedForm(game: Game, output: number): (z: number) => Float64Array {
    const { model } = this;
    const values = new Float64Array(model.raw.features);
    return (z) => {
      values.fill(0);
      game.against(z);
      game.additive(model.paired ? 0 : output, values);
      if (model.paired && output === 0) for (let j = 0; j < values.length; j++) values[j] = -(values[j] as number);
      return values;
    };
  }

  /** Values of a prediction against one background row, over all coalitions of the columns that differ. */
  private enumerated(game: Game, output: number): (z: number) => Float64Array {
    const { model } = this;
    const values = new Float64Array(model.raw.features);
    let tables: Float64Array[] = [];
    let scratch = new Float64Array(0);
    const margins = new Float64Array(model.raw.marginOutputs);
    return (z) => {
      values.fill(0);
      const columns = game.against(z);
      const size = 1 << columns.length;
      if (scratch.length < size) {
        scratch = new Float64Array(size);
        tables = Array.from(margins, () => new Float64Array(size));
      }
      game.margins(tables);
      const answers = tables[0] as Float64Array;
      for (let at = 0; at < size; at++) {
        for (let k = 0; k < tables.length; k++) margins[k] = (tables[k] as Float64Array)[at] as number;
        answers[at] = model.through(margins, 0, output, "probability");
      }
      weigh(answers, columns, scratch, values);
      return values;
    };
  }

  private *sample(
    game: Game,
    row: Float64Array,
    asked: Target & { output: number; rows: number },
    report: (make: () => Explained) => void,
  ): Generator<unknown, Explained> {
    const { model, order } = this;
    const { output } = asked;
    const most = Math.min(MOST_SAMPLES, asked.rows);
    const sums = new Sums(model.raw.features, most, false);
    const values = new Float64Array(row.length);
    const margins = new Float64Array(model.raw.marginOutputs);
    const random = generator(7);
    const end = performance.now() + MOST_MS;
    const walk = (columns: Int32Array, from: boolean): void => {
      game.start(from, margins);
      let before = model.through(margins, 0, output, "probability");
      for (const j of columns) {
        game.move(j, margins);
        const now = model.through(margins, 0, output, "probability");
        values[j] = (values[j] as number) + (from ? before - now : now - before) / 2;
        before = now;
      }
    };
    for (let n = 0; n < most; n++) {
      values.fill(0);
      const columns = game.against(order[n % order.length] as number);
      for (let i = columns.length - 1; i > 0; i--) {
        const k = Math.floor(random() * (i + 1));
        [columns[i], columns[k]] = [columns[k] as number, columns[i] as number];
      }
      walk(columns, false);
      walk(columns, true);
      sums.add(values);
      if (n + 1 >= COARSE) report(() => sums.answer(asked));
      if (n >= order.length && n % 64 === 0 && (sums.fine() || performance.now() > end)) break;
      yield;
    }
    return sums.answer(asked);
  }
}

interface Target {
  base: number;
  prediction: number;
}

/** Running sums of each row's values and of what they add up to. */
class Sums {
  private n = 0;
  private value: Float64Array;
  private square: Float64Array;
  private cross: Float64Array;
  private total = 0;
  private totalSquare = 0;

  constructor(
    private width: number,
    private all: number,
    /** Whether all of them together are the exact answer. */
    private finite: boolean,
  ) {
    this.value = new Float64Array(width);
    this.square = new Float64Array(width);
    this.cross = new Float64Array(width);
  }

  add(values: Float64Array): void {
    let sum = 0;
    for (let j = 0; j < this.width; j++) sum += values[j] as number;
    for (let j = 0; j < this.width; j++) {
      const v = values[j] as number;
      this.value[j] = (this.value[j] as number) + v;
      this.square[j] = (this.square[j] as number) + v * v;
      this.cross[j] = (this.cross[j] as number) + v * sum;
    }
    this.total += sum;
    this.totalSquare += sum * sum;
    this.n++;
  }

  answer({ base, prediction }: Target): Explained {
    const { n, width } = this;
    const exact = this.finite && n === this.all;
    const values = new Float64Array(width);
    const errors = new Float64Array(width);
    const mean = this.total / n;
    const spread = Math.max(0, this.totalSquare - n * mean * mean);
    const missing = prediction - base - mean;
    const far = spread > 1e-18 ? (missing * missing) / spread : 0; // the slope is itself uncertain
    const left = this.finite ? 1 - n / this.all : 1;
    for (let j = 0; j < width; j++) {
      const own = (this.value[j] as number) / n;
      if (exact || n === 0) {
        values[j] = own;
        continue;
      }
      const slope = spread > 1e-18 ? ((this.cross[j] as number) - n * own * mean) / spread : 0;
      const rest = Math.max(0, (this.square[j] as number) - n * own * own - slope * slope * spread);
      values[j] = own + slope * missing;
      errors[j] = Math.sqrt((rest / Math.max(1, n - 2)) * (left / n + far));
    }
    return { values, errors: exact ? null : errors, base, prediction, exact, used: n, total: this.all };
  }

  /** Whether all errors are small beside the largest value. */
  fine(): boolean {
    const { values, errors } = this.answer({ base: 0, prediction: this.total / this.n });
    const largest = values.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    return !errors || errors.every((e) => e <= FINE * largest);
  }
}

/** Whether all coalitions of a row against each of these background rows can be weighed. */
export function affordable(game: Game, order: Int32Array, outputs: number, most = MOST_COALITIONS): boolean {
  let cost = 0;
  for (const z of order) {
    const columns = game.against(z).length;
    if (columns > MOST_COLUMNS) return false;
    cost += outputs * 2 ** columns;
    if (cost > most) return false;
  }
  return true;
}

const known: Float64Array[] = [];
/** For a coalition of c of d players, at 2c and 2c + 1: its weight for each member plus for each non-member; and the latter. */
function weightsOf(d: number): Float64Array {
  const before = known[d];
  if (before) return before;
  const table = new Float64Array(2 * (d + 1));
  const beta = (a: number, b: number): number => {
    let value = 1 / (a + b + 1); // a! b! / (a + b + 1)!
    for (let i = 1; i <= b; i++) value *= i / (a + i);
    return value;
  };
  for (let c = 0; c <= d; c++) {
    const inside = c > 0 ? beta(c - 1, d - c) : 0;
    const outside = c < d ? beta(c, d - c - 1) : 0;
    table[2 * c] = inside + outside;
    table[2 * c + 1] = outside;
  }
  return (known[d] = table);
}

/** Adds the Shapley values of a game given as a table over all coalitions of the columns. */
function weigh(answers: Float64Array, columns: Int32Array, scratch: Float64Array, out: Float64Array): void {
  const d = columns.length;
  const size = 1 << d;
  const weights = weightsOf(d);
  let outside = 0;
  for (let at = 0; at < size; at++) {
    let c = 0;
    for (let left = at; left; left &= left - 1) c++;
    outside += (answers[at] as number) * (weights[2 * c + 1] as number);
    scratch[at] = (answers[at] as number) * (weights[2 * c] as number);
  }
  for (let player = d - 1; player >= 0; player--) {
    const half = 1 << player;
    let inside = 0;
    for (let at = 0; at < half; at++) {
      inside += scratch[at + half] as number;
      scratch[at] = (scratch[at] as number) + (scratch[at + half] as number);
    }
    const j = columns[player] as number;
    out[j] = (out[j] as number) + inside - outside;
  }
}

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** 0 .. n-1 in a fixed shuffled order. */
function shuffled(n: number): Int32Array {
  const order = Int32Array.from({ length: n }, (_, i) => i);
  const random = generator(1);
  for (let i = n - 1; i > 0; i--) {
    const k = Math.floor(random() * (i + 1));
    [order[i], order[k]] = [order[k] as number, order[i] as number];
  }
  return order;
}

function keyOf(row: ArrayLike<number>, output: number, space: Space): string {
  return `${space} ${output} ${Array.prototype.join.call(row, ",")}`;
}
