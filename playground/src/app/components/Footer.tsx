/** The bottom of every page: links to the API itself, which leave the app. */

export function Footer() {
  return (
    <footer className="site-footer">
      <p>An example app of the Entourage GraphQL API: one query per page.</p>
      <nav aria-label="The API">
        <a href="graphiql">GraphiQL</a>
        <a href="schema.graphql">schema.graphql</a>
      </nav>
    </footer>
  );
}
