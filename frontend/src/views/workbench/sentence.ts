/** The one sentence that opens a case: prediction, comparison with the average, what pushed it where. Pure. */

export type Tone = "plain" | "strong" | "up" | "down";
export interface Piece {
  readonly text: string;
  readonly tone: Tone;
}

export interface Push {
  readonly phrase: string;
  readonly value: number;
}

export interface SentenceInput {
  readonly edited: boolean;
  /** How it begins, where it does not speak of a prediction. */
  readonly opening?: string;
  readonly regression: boolean;
  readonly prediction: number;
  readonly base: number;
  /** "earn more than $50K", or empty. */
  readonly outcome: string;
  /** Name of the output shown, used when there is no outcome fragment. */
  readonly output: string;
  readonly pushes: readonly Push[] | null;
  /** Writes a prediction: "70%", "$12,400". */
  readonly level: (value: number) => string;
  /** Writes a push in whole units with its sign: "+11", "−$1,200". */
  readonly push: (value: number) => string;
  /** Pushes smaller than this are not worth a word. */
  readonly least: number;
}

const plain = (text: string): Piece => ({ text, tone: "plain" });

/** "3 times the average of 24%", "close to the average of 24%". */
export function compare(prediction: number, base: number, average: string, regression: boolean, level: (v: number) => string): string {
  if (regression) {
    const gap = prediction - base;
    const small = Math.abs(gap) <= Math.abs(base) * 0.02;
    return small ? `close to the average of ${average}` : `${level(Math.abs(gap))} ${gap > 0 ? "above" : "below"} the average of ${average}`;
  }
  const ratio = base > 0 ? prediction / base : Infinity;
  const whole = Math.round(ratio);
  if (ratio >= 1.9 && ratio < 20) {
    const times = Math.abs(ratio - whole) < 0.12 ? (whole === 2 ? "twice" : `${whole} times`) : `${ratio.toFixed(1)} times`;
    return `${times} the average of ${average}`;
  }
  if (ratio >= 1.25) return `${ratio >= 20 ? "far above" : "above"} the average of ${average}`;
  if (ratio <= 0.8) return `below the average of ${average}`;
  return `close to the average of ${average}`;
}

function listed(pushes: readonly Push[], write: (v: number) => string): Piece[] {
  return pushes.flatMap((p, i): Piece[] => [
    ...(i ? [plain(" and ")] : []),
    { text: p.phrase, tone: p.value > 0 ? "up" : "down" },
    plain(` (${write(p.value)})`),
  ]);
}

export function sentence(input: SentenceInput): Piece[] {
  const { prediction, base, regression, level, outcome } = input;
  const said = regression || (!outcome && !input.output) ? level(prediction) : outcome ? `${level(prediction)} likely to ${outcome}` : `${level(prediction)} for ${input.output}`;
  const out: Piece[] = [
    plain(input.opening || (input.edited ? "With your changes the model would say " : "The model says ")),
    { text: said, tone: "strong" },
    plain(`, ${compare(prediction, base, level(base), regression, level)}.`),
  ];
  if (!input.pushes) return out;
  const sorted = [...input.pushes].sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
  const ups = sorted.filter((p) => p.value > input.least).slice(0, 2);
  const downs = sorted.filter((p) => p.value < -input.least).slice(0, 2);
  // Pushes are counted from the average, so the side of the average decides which ones come first.
  const high = prediction >= base;
  let first = high ? ups : downs;
  let second = high ? downs : ups;
  let word = high ? "pulling down" : "pulling up";
  if (!first.length && second.length) {
    [first, second] = [second, first];
    word = "";
  }
  if (!first.length) return [...out, plain(" No single fact stands out.")];
  out.push(plain(" Mostly because of "), ...listed(first, input.push));
  if (second.length && word) out.push(plain(`; ${word}: `), ...listed(second, input.push));
  return [...out, plain(".")];
}

export const asText = (pieces: readonly Piece[]): string => pieces.map((p) => p.text).join("");

/** How a fact reads inside the sentence: "occupation Executive", "no capital gain". */
export function phrase(title: string, written: string, value: number, money: boolean): string {
  const name = /^[A-Z][^A-Z]*$/.test(title) ? title.charAt(0).toLowerCase() + title.slice(1) : title;
  if (money && value === 0) return `no ${name}`;
  if (Number.isNaN(value)) return `${name} missing`;
  return `${name} ${written}`;
}
