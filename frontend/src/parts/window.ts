/** Rows of different heights in a scroller, of which only those in sight exist. Pure. */

/** Start of each row and, last, the total height. */
export function offsets(count: number, height: (index: number) => number): Float64Array {
  const out = new Float64Array(count + 1);
  for (let i = 0; i < count; i += 1) out[i + 1] = (out[i] as number) + height(i);
  return out;
}

/** The last row that starts at or before `y`. */
export function rowAt(starts: Float64Array, y: number): number {
  let lo = 0;
  let hi = Math.max(0, starts.length - 2);
  while (lo < hi) {
    const mid = (lo + hi + 1) >> 1;
    if ((starts[mid] as number) <= y) lo = mid;
    else hi = mid - 1;
  }
  return lo;
}

/** First and one-past-last row to draw, a few beyond each edge. */
export function inSight(starts: Float64Array, top: number, height: number, beyond = 8): [number, number] {
  const count = starts.length - 1;
  if (count <= 0) return [0, 0];
  return [Math.max(0, rowAt(starts, top) - beyond), Math.min(count, rowAt(starts, top + height) + 1 + beyond)];
}

/** Where to scroll so that a row is wholly visible; the same place when it is already. */
export function reveal(starts: Float64Array, index: number, top: number, height: number): number {
  const start = starts[index] ?? 0;
  const end = starts[index + 1] ?? start;
  if (start < top) return start;
  if (end > top + height) return end - height;
  return top;
}

/**
 * The scroll height is capped because engines clip beyond ~16 million pixels (200,000 rows of 80 px); beyond it the
 * scroll position is stretched. `scale` is 1 below the cap.
 */
export function stretch(total: number, cap = 12_000_000): { height: number; scale: number } {
  return total <= cap ? { height: total, scale: 1 } : { height: cap, scale: total / cap };
}
