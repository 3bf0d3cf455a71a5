/** Shared by sign-in and sign-up: the frame, and a form for a token on a server without passwords. */

import type { ReactNode } from "react";
import { isOffered, type Offered } from "../offered";
import { Heading } from "./Heading";
import { Problem } from "./Problem";
import { TokenForm } from "./TokenForm";

interface Props {
  title: string;
  /** The mutation that the form requires. */
  mutation: "signIn" | "signUp";
  query: Offered | undefined;
  error: unknown;
  retry: () => Promise<unknown>;
  /** The form, and the link to the other page. */
  children: ReactNode;
}

export function AccountPage({ title, mutation, query, error, retry, children }: Props) {
  if (error) {
    return <Problem error={error} retry={retry} />;
  }
  return (
    <section className="card account" aria-busy={!query}>
      <Heading>{title}</Heading>
      {query && (isOffered(query, mutation) ? children : <TokenForm />)}
    </section>
  );
}
