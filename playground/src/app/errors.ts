/** Messages for failures of whole operations. */

import { CombinedGraphQLErrors, ServerError } from "@apollo/client/errors";

/** The code of a top-level error of the server, if it has one. */
export function errorCode(error: unknown): string | undefined {
  return extension(error, "code");
}

/** The id under which the server logged the cause, for errors that hide their cause. */
export function requestId(error: unknown): string | undefined {
  return extension(error, "requestId");
}

/** The last name in the path of the invalid argument. */
export function argumentName(error: unknown): string | undefined {
  return extension(error, "argument")?.split(".").at(-1);
}

const NO_ANSWER = "The server could not answer. Try again in a moment.";

/** One or two sentences for the user. */
export function describeError(error: unknown): string {
  // A proxy answered instead of the server, or the server did not answer in GraphQL.
  if (ServerError.is(error)) {
    return NO_ANSWER;
  }
  if (!CombinedGraphQLErrors.is(error)) {
    return "The server cannot be reached. Check your connection and try again.";
  }
  switch (errorCode(error)) {
    case "UNAUTHENTICATED":
      return "Sign in first.";
    case "FORBIDDEN":
      return "You do not have the permission to do that.";
    case "RATE_LIMITED":
      return `Too many attempts. ${tryAgain(firstExtensions(error)?.retryAfter)}`;
    case "TIMEOUT":
    case "UNAVAILABLE":
    case "INTERNAL":
      return NO_ANSWER;
    default:
      return sentence(error.errors[0]?.message ?? "The server refused the request");
  }
}

function tryAgain(seconds: unknown): string {
  return typeof seconds === "number" && seconds > 1
    ? `Try again in ${Math.ceil(seconds)} seconds.`
    : "Try again in a moment.";
}

function sentence(text: string): string {
  const capitalized = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(capitalized) ? capitalized : `${capitalized}.`;
}

function extension(error: unknown, name: string): string | undefined {
  const value = firstExtensions(error)?.[name];
  return typeof value === "string" ? value : undefined;
}

function firstExtensions(error: unknown): Record<string, unknown> | undefined {
  return CombinedGraphQLErrors.is(error) ? error.errors[0]?.extensions : undefined;
}
