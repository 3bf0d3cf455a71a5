/** Shared by sign-in and sign-up: the frame, and the mutations that the server offers. */

import type { ReactNode } from "react";
import { type FragmentType, getFragmentData, graphql } from "../generated";
import { Heading } from "./Heading";
import { Problem } from "./Problem";
import { TokenForm } from "./TokenForm";

// On a server without passwords the schema lacks these mutations.
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
  /** The mutation that the form requires. */
  mutation: "signIn" | "signUp";
  query: FragmentType<typeof AccountPage_query> | undefined;
  error: unknown;
  retry: () => Promise<unknown>;
  /** The form, and the link to the other page. */
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
