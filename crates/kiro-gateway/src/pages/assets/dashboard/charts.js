// Charts of our own: bars on each other, or lines, over a row of cells.

import { draw, make } from "./dom.js";
import { short } from "./words.js";

// In the units of the drawing, which is about as large on the screen.
const WIDTH = 340;
const HEIGHT = 130;
const LEFT = 36;
const BOTTOM = 16;

// `series` is a list of { name, values }, each value a number or null.
export function chart({ title, series, unit, minutes, lines }) {
  const count = series[0].values.length;
  const sums = Array.from({ length: count }, (_, at) => series.map(({ values }) => values[at] ?? 0));
  const tops = sums.map((values) => (lines ? Math.max(...values) : values.reduce((sum, value) => sum + value, 0)));
  const top = Math.max(1, ...tops);
  const step = (WIDTH - LEFT) / count;
  const y = (value) => (HEIGHT - BOTTOM) * (1 - value / top) + 2;
  const classes = ["one", "two", "three"];

  const marks = lines
    ? series.flatMap(({ values }, at) => polylines(values, classes[at], step, y))
    : series.flatMap(({ values }, at) =>
        values.map((value, cell) => {
          const below = sums[cell].slice(0, at).reduce((sum, other) => sum + other, 0);
          if (!value) return null;
          return draw("rect", {
            class: classes[at],
            x: LEFT + cell * step + step * 0.1,
            y: y(below + value),
            width: step * 0.8,
            height: Math.max(1, y(below) - y(below + value)),
          });
        }),
      );
  const label = `${title}: ${series.map(({ name, values }) => `${name} ${last(values)}`).join(", ")}`;
  const svg = draw(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT + 4}`, role: "img", "aria-label": label },
    draw("line", { class: "grid", x1: LEFT, x2: WIDTH, y1: y(0), y2: y(0) }),
    draw("line", { class: "grid", x1: LEFT, x2: WIDTH, y1: y(top), y2: y(top) }),
    draw("text", { x: 0, y: 12 }, short(top)),
    draw("text", { x: 0, y: 26 }, unit),
    draw("text", { x: LEFT, y: HEIGHT + 2 }, `${minutes} minutes ago`),
    draw("text", { x: WIDTH, y: HEIGHT + 2, "text-anchor": "end" }, "now"),
    ...marks,
  );
  const legend = series.map(({ name }, at) => make("span", { class: classes[at] }, `■ ${name}`));
  return make("figure", {}, make("figcaption", {}, make("strong", {}, title), ...legend), svg);
}

function last(values) {
  const known = values.filter((value) => value !== null);
  return known.length > 0 ? short(known.at(-1)) : "none";
}

// A line for each stretch without a gap; a point alone is a short line.
function polylines(values, name, step, y) {
  const stretches = [[]];
  values.forEach((value, cell) => {
    if (value === null) stretches.push([]);
    else stretches.at(-1).push([LEFT + (cell + 0.5) * step, y(value)]);
  });
  return stretches
    .filter((points) => points.length > 0)
    .map((points) => {
      if (points.length === 1) points.push([points[0][0] + step * 0.6, points[0][1]]);
      return draw("polyline", { class: name, points: points.map((point) => point.join(",")).join(" ") });
    });
}
