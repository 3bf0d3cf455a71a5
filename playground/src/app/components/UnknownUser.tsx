/** Shown instead of a user who does not exist. */

import { Link } from "wouter";
import { Heading } from "./Heading";

export function UnknownUser({ username }: { username: string }) {
  return (
    <section className="notice">
      <Heading>There is no such user.</Heading>
      <p>
        Nobody here goes by the username <strong>{username}</strong>.
      </p>
      <Link href="/" className="button">
        All users
      </Link>
    </section>
  );
}
