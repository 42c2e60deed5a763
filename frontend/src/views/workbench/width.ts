// The width of a part, followed as its column changes.

import type { RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { watchSize } from "../../parts/frame";

export function useWidth(first: number): [RefObject<HTMLElement>, number] {
  const ref = useRef<HTMLElement>(null);
  const [width, setWidth] = useState(first);
  useEffect(() => (ref.current ? watchSize(ref.current, (w) => setWidth(Math.max(280, Math.floor(w)))) : undefined), []);
  return [ref, width];
}
