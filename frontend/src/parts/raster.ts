/** Many points as pixels: one ImageData for any number of marks, no per-mark drawing calls. */

export interface Rgb {
  readonly r: number;
  readonly g: number;
  readonly b: number;
}

/** A colour as numbers: "#rrggbb", "#rgb" and "rgb(...)" are read here, any other (a name, a mixture) is asked of the browser. */
export function rgb(colour: string): Rgb {
  const text = colour.trim();
  const long = /^#([0-9a-f]{6})/i.exec(text)?.[1];
  if (long) return { r: parseInt(long.slice(0, 2), 16), g: parseInt(long.slice(2, 4), 16), b: parseInt(long.slice(4, 6), 16) };
  const short = /^#([0-9a-f]{3})$/i.exec(text)?.[1];
  if (short) return rgb(`#${[...short].map((c) => c + c).join("")}`);
  const [r, g, b] = /^rgba?\(/.test(text) ? (text.match(/[\d.]+/g) ?? []).map(Number) : painted(text);
  return { r: r ?? 128, g: g ?? 128, b: b ?? 128 };
}

/** What one pixel of this colour looks like; grey where there is no canvas. */
function painted(colour: string): ArrayLike<number> & Iterable<number> {
  const context = typeof OffscreenCanvas === "undefined" ? null : new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  if (!context) return [];
  context.fillStyle = "#808080";
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  return context.getImageData(0, 0, 1, 1).data;
}

/** A round brush with a soft edge: offsets and coverage of a disc. */
export function disc(radius: number): { dx: Int8Array; dy: Int8Array; cover: Float32Array } {
  const reach = Math.ceil(radius);
  const dx: number[] = [];
  const dy: number[] = [];
  const cover: number[] = [];
  for (let y = -reach; y <= reach; y += 1) {
    for (let x = -reach; x <= reach; x += 1) {
      const c = Math.max(0, Math.min(1, radius + 0.5 - Math.hypot(x, y)));
      if (c > 0) {
        dx.push(x);
        dy.push(y);
        cover.push(c);
      }
    }
  }
  return { dx: Int8Array.from(dx), dy: Int8Array.from(dy), cover: Float32Array.from(cover) };
}

/** Blends a disc of a colour into premultiplied-free RGBA pixels (opaque background assumed). */
export function stamp(
  pixels: Uint8ClampedArray,
  width: number,
  height: number,
  at: readonly [number, number],
  brush: ReturnType<typeof disc>,
  ink: Rgb & { a: number },
): void {
  const cx = Math.round(at[0]);
  const cy = Math.round(at[1]);
  for (let k = 0; k < brush.dx.length; k += 1) {
    const x = cx + brush.dx[k];
    const y = cy + brush.dy[k];
    if (x < 0 || y < 0 || x >= width || y >= height) continue;
    const o = (y * width + x) * 4;
    const a = ink.a * brush.cover[k];
    pixels[o] += (ink.r - pixels[o]) * a;
    pixels[o + 1] += (ink.g - pixels[o + 1]) * a;
    pixels[o + 2] += (ink.b - pixels[o + 2]) * a;
  }
}

/** Radius of a point so that a crowd stays readable. */
export function pointRadius(count: number, area: number): number {
  const room = Math.sqrt(area / Math.max(1, count));
  return Math.max(0.9, Math.min(2.6, room * 0.6));
}

/** Counts and mean value per cell of `size` pixels: what is drawn above 100,000 points. */
export function density(
  xs: ArrayLike<number>,
  ys: ArrayLike<number>,
  values: ArrayLike<number>,
  keep: (i: number) => boolean,
  columns: number,
  rows: number,
): { counts: Float32Array; sums: Float32Array } {
  const counts = new Float32Array(columns * rows);
  const sums = new Float32Array(columns * rows);
  for (let i = 0; i < xs.length; i += 1) {
    if (!keep(i) || Number.isNaN(values[i])) continue;
    const c = Math.min(columns - 1, Math.floor(xs[i] * columns));
    const r = Math.min(rows - 1, Math.floor(ys[i] * rows));
    counts[r * columns + c] += 1;
    sums[r * columns + c] += values[i];
  }
  return { counts, sums };
}
