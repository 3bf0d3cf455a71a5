/** A URL without a page. Links within the app never lead here. */

import { useQuery } from "@apollo/client/react";
import { Link } from "wouter";
import { Heading } from "../components/Heading";
import { graphql } from "../generated";

const NotFoundPage_query = graphql(`
  query NotFoundPage {
    ...Header_query
  }
`);

export function NotFoundPage() {
  useQuery(NotFoundPage_query);
  return (
    <section className="notice">
      <Heading>There is no such page.</Heading>
      <Link href="/" className="button">
        All users
      </Link>
    </section>
  );
}
