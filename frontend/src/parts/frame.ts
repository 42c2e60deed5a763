// Drawing once a frame, however often it is asked for.

/** Asks for `draw` in the next frame, at most once; `.cancel()` takes it back. */
export function everyFrame(draw: () => void) {
  let waiting = 0;
  const ask = (): void => {
    waiting ||= requestAnimationFrame(() => {
      waiting = 0;
      draw();
    });
  };
  const cancel = (): void => {
    cancelAnimationFrame(waiting);
    waiting = 0;
  };
  return Object.assign(ask, { cancel });
}

/** Calls back with an element's size now and whenever it changes; gives what stops it. */
export function watchSize(el: Element, callback: (width: number, height: number) => void): () => void {
  const observer = new ResizeObserver(([entry]) => {
    if (entry) callback(entry.contentRect.width, entry.contentRect.height);
  });
  observer.observe(el);
  return () => observer.disconnect();
}
