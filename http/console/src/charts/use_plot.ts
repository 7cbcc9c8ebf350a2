// A uPlot chart inside a component: made when its options change, fed when its data change, and as
// wide as its place.
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';

import { fromZero } from './axes';

interface Props {
  height: number;
  data: uPlot.AlignedData; // x in unix ms
  from: number;
  to: number;
  remake: string; // the chart is made anew when this changes: theme, series
  options: (host: HTMLElement) => Omit<uPlot.Options, 'width' | 'height' | 'scales'>;
  onSelect: (from: number, to: number) => void; // a range was dragged over
  onPick?: (index: number) => void; // a place was clicked
}

function rangeSelected(plot: uPlot): [number, number] | null {
  const { left, width } = plot.select;
  if (width < 4) return null;
  return [Math.round(plot.posToVal(left, 'x')), Math.round(plot.posToVal(left + width, 'x'))];
}

export function usePlot({ height, data, from, to, remake, options, onSelect, onPick }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const span = useRef<[number, number]>([from, to]);
  const select = useRef(onSelect);
  const pick = useRef(onPick);
  span.current = [from, to];
  select.current = onSelect;
  pick.current = onPick;

  useLayoutEffect(() => {
    const element = host.current;
    if (!element) return;
    const base = options(element);
    const made = new uPlot(
      {
        ...base,
        ms: 1,
        width: element.clientWidth || 300,
        height,
        legend: { show: false },
        scales: { x: { range: () => span.current }, y: { range: fromZero } },
        hooks: {
          ...base.hooks,
          setSelect: [
            (self) => {
              const range = rangeSelected(self);
              self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
              if (range) select.current(...range);
            },
          ],
        },
      },
      data,
      element,
    );
    plot.current = made;
    made.over.addEventListener('click', () => {
      const index = made.cursor.idx;
      if (index != null) pick.current?.(index);
    });
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [remake, height]);

  useEffect(() => plot.current?.setData(data), [data, from, to]);
  return host;
}
