/** Numbers and times for people. The pages are in English, so these are too. */

const numberFormat = new Intl.NumberFormat("en");
const exactFormat = new Intl.DateTimeFormat("en", { dateStyle: "long", timeStyle: "medium" });
const momentFormat = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" });
const monthFormat = new Intl.DateTimeFormat("en", { month: "long", year: "numeric" });
const relativeFormat = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 365 * 86_400],
  ["month", 30 * 86_400],
  ["week", 7 * 86_400],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

export function formatCount(count: number): string {
  return numberFormat.format(count);
}

/** "1 follower", "2,000 followers". */
export function formatFollowers(count: number): string {
  return `${formatCount(count)} ${count === 1 ? "follower" : "followers"}`;
}

export function formatExact(time: string): string {
  return exactFormat.format(new Date(time));
}

/** "Jun 3, 2026, 10:00 AM". */
export function formatMoment(time: string): string {
  return momentFormat.format(new Date(time));
}

/** "June 2026". */
export function formatMonth(time: string): string {
  return monthFormat.format(new Date(time));
}

/** "3 days ago", in the largest unit that fits once; "just now" below a minute. */
export function formatRelative(time: string, now: number = Date.now()): string {
  const seconds = (now - new Date(time).getTime()) / 1_000;
  for (const [unit, length] of UNITS) {
    if (seconds >= length) {
      return relativeFormat.format(-Math.floor(seconds / length), unit);
    }
  }
  return "just now";
}
