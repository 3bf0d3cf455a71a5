/** Which mutations the server offers: one without passwords of its own lacks some. */

import { type FragmentType, getFragmentData, graphql } from "./generated";

const Offered_query = graphql(`
  fragment Offered_query on Query {
    __type(name: "Mutation") {
      fields {
        name
      }
    }
  }
`);

export type Offered = FragmentType<typeof Offered_query>;

export function isOffered(
  query: Offered,
  mutation: "signIn" | "signUp" | "changePassword",
): boolean {
  const fields = getFragmentData(Offered_query, query).__type?.fields;
  return fields?.some(({ name }) => name === mutation) ?? false;
}
