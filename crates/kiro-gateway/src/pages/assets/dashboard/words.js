// Numbers and times for people.

const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export const short = (number) => compact.format(number);

// Milliseconds.
export function time(milliseconds) {
  if (milliseconds === null || milliseconds === undefined) return "–";
  if (milliseconds < 1000) return `${milliseconds} ms`;
  return span(Math.round(milliseconds / 1000), milliseconds / 1000);
}

function span(seconds, exact) {
  if (seconds < 60) return `${exact.toFixed(1)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3600)} h`;
}

export const long = (seconds) => (seconds < 60 ? `${seconds} s` : span(seconds, seconds));

// A moment in seconds since the epoch.
export function moment(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  return new Date(seconds * 1000).toLocaleString("en", { dateStyle: "medium", timeStyle: "medium" });
}
