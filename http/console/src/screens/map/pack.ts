// Puts boxes beside each other without overlap, in about the shape of a screen: shelves from top to
// bottom, columns on a shelf, boxes below each other in a column. Pure; the same boxes in the same order
// always get the same places.

export interface Size {
  width: number;
  height: number;
}

const aspect = 1.8; // width / height of what comes out, roughly

interface Shelf {
  top: number;
  height: number;
  columnLeft: number;
  columnWidth: number;
  columnHeight: number;
}

// The left upper corner of each box. The first box opens the first shelf: give the largest first.
export function pack(boxes: readonly Size[]): { x: number; y: number }[] {
  const area = boxes.reduce((sum, { width, height }) => sum + width * height, 0);
  const widest = Math.max(0, ...boxes.map((box) => box.width));
  const limit = Math.max(widest, Math.sqrt(area * aspect));
  let shelf: Shelf = { top: 0, height: 0, columnLeft: 0, columnWidth: 0, columnHeight: 0 };
  return boxes.map(({ width, height }) => {
    const below =
      shelf.columnHeight + height <= shelf.height && shelf.columnLeft + Math.max(shelf.columnWidth, width) <= limit;
    if (below) {
      const place = { x: shelf.columnLeft, y: shelf.top + shelf.columnHeight };
      shelf.columnHeight += height;
      shelf.columnWidth = Math.max(shelf.columnWidth, width);
      return place;
    }
    const left = shelf.columnLeft + shelf.columnWidth;
    if (left + width <= limit) {
      shelf = {
        ...shelf,
        height: Math.max(shelf.height, height),
        columnLeft: left,
        columnWidth: width,
        columnHeight: height,
      };
    } else {
      shelf = { top: shelf.top + shelf.height, height, columnLeft: 0, columnWidth: width, columnHeight: height };
    }
    return { x: shelf.columnLeft, y: shelf.top };
  });
}
