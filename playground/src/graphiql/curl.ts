/** An operation as a command line. */
import type { Operation } from "./client";

/**
 * A `curl` command that sends the operation. The session's token is not in it: the command takes it
 * from the variable `TOKEN` of the shell, so that it gets into no history and no chat.
 */
export function curlCommand(
  url: string,
  operation: Operation,
  headers: Record<string, unknown>,
  { isSignedIn, isStream }: { isSignedIn: boolean; isStream: boolean },
): string {
  const names = Object.keys(headers).map((name) => name.toLowerCase());
  const lines = [
    `curl ${quote(url)}`,
    // Events are printed as they come.
    ...(isStream ? [`--no-buffer -H ${quote("accept: text/event-stream")}`] : []),
    `-H ${quote("content-type: application/json")}`,
    ...(isSignedIn && !names.includes("authorization")
      ? ['-H "authorization: Bearer $TOKEN"']
      : []),
    ...Object.entries(headers).map(([name, value]) => `-H ${quote(`${name}: ${value}`)}`),
    `--data-raw ${quote(JSON.stringify(operation))}`,
  ];
  return lines.join(" \\\n  ");
}

/** The text as one word of a POSIX shell. */
function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
