/** What signing in and signing up have in common: the frame, and what the server offers. */

import type { ReactNode } from "react";
import { type FragmentType, getFragmentData, graphql } from "../generated";
import { Heading } from "./Heading";
import { Problem } from "./Problem";
import { TokenForm } from "./TokenForm";

// A server without passwords leaves these mutations out of its schema, which is where to ask.
const AccountPage_query = graphql(`
  fragment AccountPage_query on Query {
    __type(name: "Mutation") {
      fields {
        name
      }
    }
  }
`);

interface Props {
  title: string;
  /** The mutation without which the form would be of no use. */
  mutation: "signIn" | "signUp";
  query: FragmentType<typeof AccountPage_query> | undefined;
  error: unknown;
  retry: () => Promise<unknown>;
  /** The form, and the way to the other page. */
  children: ReactNode;
}

export function AccountPage({ title, mutation, query, error, retry, children }: Props) {
  if (error) {
    return <Problem error={error} retry={retry} />;
  }
  const mutations = getFragmentData(AccountPage_query, query)?.__type?.fields;
  const isOffered = mutations?.some(({ name }) => name === mutation);
  return (
    <section className="card account" aria-busy={!query}>
      <Heading>{title}</Heading>
      {query && (isOffered ? children : <TokenForm />)}
    </section>
  );
}
