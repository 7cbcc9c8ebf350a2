// How wide the steps of a trend are: points enough to show a shape, few enough to show it calmly, and
// whole intervals of collection in each, as steps with now one interval and now two would draw a
// saw that is not in the traffic.

const niceSteps = [1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];
const mostPoints = 100;

// Seconds, of the range, of the interval and of the step.
export function stepFor(range: number, interval: number): number {
  const least = range / mostPoints;
  const nice = niceSteps.find((step) => step >= least && step % interval === 0);
  return nice ?? Math.ceil(least / interval) * interval;
}
