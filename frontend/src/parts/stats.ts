/** Means, intervals and ranks of columns of numbers. Pure. */

export interface Mean {
  readonly n: number;
  readonly mean: number;
  /** Half width of the 95% interval of the mean; Infinity below two values. */
  readonly half: number;
}

/** Mean with its 95% interval (normal); NaN values are left out. */
export function meanOf(values: ArrayLike<number>): Mean {
  let n = 0;
  let mean = 0;
  let square = 0;
  for (let i = 0; i < values.length; i += 1) {
    const v = values[i];
    if (Number.isNaN(v)) continue;
    n += 1;
    const gap = v - mean;
    mean += gap / n;
    square += gap * (v - mean);
  }
  return { n, mean: n ? mean : NaN, half: n > 1 ? (1.959964 * Math.sqrt(square / (n - 1))) / Math.sqrt(n) : Infinity };
}

/** Quantile of sorted values, between ranks on a straight line. */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  if (!sorted.length) return NaN;
  const at = q * (sorted.length - 1);
  const k = Math.floor(at);
  const next = Math.min(sorted.length - 1, k + 1);
  return sorted[k] + (sorted[next] - sorted[k]) * (at - k);
}

/** Share of the values below each one (ties in the middle, or `low` at their lower end): 0 low, 1 high; NaN stays. */
export function ranks(values: ArrayLike<number>, low = false): Float64Array {
  const known = Float64Array.from(Array.from(values).filter((v) => !Number.isNaN(v))).sort();
  const lower = (v: number, strict: boolean): number => {
    let lo = 0;
    let hi = known.length;
    while (lo < hi) {
      const mid = (lo + hi) >> 1;
      if (strict ? known[mid] < v : known[mid] <= v) lo = mid + 1;
      else hi = mid;
    }
    return lo;
  };
  return Float64Array.from(values, (v) => (Number.isNaN(v) ? NaN : (lower(v, true) + lower(v, low)) / 2 / Math.max(1, known.length)));
}

/**
 * How much another column changes what a column adds: within slices of alike values of `x`, the share of the variance of
 * `push` that `other` (categories, or thirds of its ranks) explains, weighed by the variance that is left there.
 */
export function interaction(x: ArrayLike<number>, push: ArrayLike<number>, other: ArrayLike<number>, categorical: boolean): number {
  const slices = new Map<number, number[]>();
  const xr = ranks(x);
  for (let i = 0; i < x.length; i += 1) {
    if (Number.isNaN(xr[i]) || Number.isNaN(other[i])) continue;
    const key = Math.round(xr[i] * 8);
    const slice = slices.get(key) ?? [];
    slice.push(i);
    slices.set(key, slice);
  }
  const groups = categorical ? other : Array.from(ranks(other), (r) => Math.min(2, Math.floor(r * 3)));
  let explained = 0;
  let total = 0;
  let pieces = 0;
  for (const slice of slices.values()) {
    if (slice.length < 8) continue;
    const all = meanOf(slice.map((i) => push[i]));
    const by = new Map<number, number[]>();
    for (const i of slice) by.set(groups[i], [...(by.get(groups[i]) ?? []), push[i]]);
    for (const i of slice) total += (push[i] - all.mean) ** 2;
    for (const values of by.values()) explained += values.length * (meanOf(values).mean - all.mean) ** 2;
    pieces += by.size - 1;
  }
  if (!(total > 0)) return 0;
  // Groups explain some variance by chance; that share is taken off.
  const chance = pieces / Math.max(1, x.length - 1);
  return Math.max(0, explained / total - chance) / Math.max(1e-9, 1 - chance);
}

/** Offsets of dots that would overlap, like beans: those at the same place are stacked alternately around the middle. */
export function swarm(places: ArrayLike<number>, width: number, half: number, size: number): Float32Array {
  const bins = new Map<number, number>();
  const key = (i: number): number => Math.round((places[i] * width) / (size * 1.6));
  for (let i = 0; i < places.length; i += 1) bins.set(key(i), (bins.get(key(i)) ?? 0) + 1);
  const most = Math.max(1, ...bins.values());
  const gap = Math.min(size * 1.35, (half - size) / (most / 2));
  const used = new Map<number, number>();
  return Float32Array.from({ length: places.length }, (_, i) => {
    const c = (used.get(key(i)) ?? 0) + 1;
    used.set(key(i), c);
    return (c % 2 ? 1 : -1) * Math.floor(c / 2) * gap;
  });
}
