// What travels between Python and a page. The twin of core/schema.py, core/view.py and views/workbench.py.

/** A JSON value. NaN travels as null. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** One column of the table, as `Column.to_json()` gives it. */
export interface Column {
  name: string;
  /** How the column is called in a sentence. */
  title: string;
  kind: "numeric" | "categorical" | "text" | "image" | "time";
  role: "feature" | "target" | "protected" | "weight" | "id";
  /** How each category is written, in code order; empty unless categorical. */
  categories: string[];
  /** The categories as the frame has them, where they are not what is written. */
  values?: (string | number | boolean)[];
  ordered: boolean;
  integer: boolean;
  /** Up to 64 values seen, ascending: where a what-if control may stop. */
  grid: number[];
  /** A pattern such as "{} h" or "${}"; empty when the number stands alone. */
  unit: string;
  minimum: number | null;
  maximum: number | null;
}

export type Link = "identity" | "sigmoid" | "softmax" | "exp";
export type Space = "probability" | "margin";
/** A value with the half width of its 95% interval. */
export type Measured = [number, number];

/** What every view's meta holds; a view adds its own keys. */
export interface BaseMeta {
  view: string;
  version: string;
  title: string;
  subtitle: string;
  live: boolean;
  host: string;
  created: string;
  /** Whether the host answers "export" with the view as one file. */
  exports?: boolean;
  /** "auto" follows the host. */
  theme?: "auto" | "light" | "dark";
}

/** The workbench's meta. */
export interface Meta extends BaseMeta {
  n_rows: number;
  task: string;
  outputs: string[];
  /** The output that is shown; the positive class of a binary classifier. */
  output: number;
  /** Sentence fragment such as "earn more than $50K", or "". */
  outcome: string;
  opposite: string;
  noun: string;
  scale: "probability" | "value";
  unit: string;
  decision: number | null;
  /** The result's own space: "probability", "margin", "value" or "log_loss". */
  space?: string;
  /** Where interactions come from: a table of the given result, Python, or the model in the page. */
  interactions?: { source: "given" | "asked" | "page"; space: string } | null;
  /** Average prediction over the background. */
  base: number;
  link: Link;
  columns: Column[];
  /** Columns of the case row's first line. */
  primary: number[];
  splits: string[];
  page_model: { kind: "forest" | "linear" | "none"; table: string; reason: string; meta?: Json };
  background: { table: string; rows: number };
  metrics: {
    auc?: Measured | null;
    accuracy?: Measured | null;
    r2?: Measured | null;
    n_train?: number;
    n_test?: number;
    rate?: number | null;
    [name: string]: Measured | number | null | undefined;
  };
  /** Held-out people scored within five points of i percent: [how many, how many had the outcome]. */
  calibration: [number, number][] | null;
  python: { model: string; imports: string[]; call: string; frame?: string; groups?: string };
  /** Whether panels ask by themselves: a model that may be slow is asked when a button is pressed. */
  asks?: "at once" | "when pressed";
  /** LIME beside the bars: asked of the model or given to `show`, and where the bins of numbers end. */
  surrogate?: { source: "asked" | "given"; edges: (number[] | null)[] } | null;
  /** Which panels the live model can fill. */
  parts: { rules?: boolean; counterfactuals?: boolean; effects?: boolean; influence?: boolean; verdict?: boolean };
  frozen: { date: string; rows_shown: number; note: string } | null;
  quantisation: { [key: string]: Json } | null;
  /** Row ranges of the `cases` tables; the first is in `first`, later ones are asked for. */
  chunks: [number, number][];
  sample?: { scale: number; [key: string]: Json };
}

/** The workbench's state: one JSON document, shared by the page, the share link and Python. */
export interface State {
  case: number;
  /** Encoded value by column index; null is missing. */
  edits: { [column: string]: number | null };
  filter: string;
  query: string;
  sort: string;
  /** x0, y0, x1, y1 in map units 0..1. */
  brush: [number, number, number, number] | null;
  selection: number[] | null;
  pin: number | null;
  tab: "case" | "all";
  fact: number;
  /** The fact that shades the dependence view; -1 for the strongest partner. */
  partner: number;
  /** What may change in the search for flips, by column index, where it is not as usual: protected facts held, others free. */
  locks: { [column: string]: Lock };
  /** Whether flips keep to where training rows are. */
  likely: boolean;
  space: Space;
  output: number;
  [key: string]: unknown;
}

export type Lock = "held" | "free" | "rises" | "falls";

export type Document = { [key: string]: unknown };

/** Page to Python. */
export type Outgoing =
  | { kind: "call"; id: number; action: string; args: { [key: string]: unknown } }
  | { kind: "cancel"; id: number };

/** Python to page; buffers travel beside it. "change" comes from hosts that have no synced "state" key. */
export type Incoming =
  | { kind: "progress" | "result" | "error"; id: number; value: Json }
  | { kind: "change"; id?: undefined; state: Document };
