/** The example tabs: one document each, with the defaults of its variables filled in. */
import { Kind, parse, valueFromASTUntyped } from "graphql";
import follow from "../../documents/follow.graphql?raw";
import nested from "../../documents/nested.graphql?raw";
import paging from "../../documents/paging.graphql?raw";
import profile from "../../documents/profile.graphql?raw";
import signIn from "../../documents/sign-in.graphql?raw";
import unfollow from "../../documents/unfollow.graphql?raw";

interface Tab {
  query: string;
  variables: string;
}

const documents = [profile, nested, paging, signIn, follow, unfollow];

export const tabs: Tab[] = documents.map((query) => ({
  query: query.trimEnd(),
  variables: defaultVariables(query),
}));

/**
 * Opens the first tab for a user without tabs. GraphiQL takes the initial text of the editors from
 * its storage and would omit the variables of the first tab.
 */
export function seedStorage(storage: Storage): void {
  const [first] = tabs;
  if (first && storage.getItem("graphiql:tabState") === null) {
    storage.setItem("graphiql:query", first.query);
    storage.setItem("graphiql:variables", first.variables);
  }
}

/** The default of every variable as JSON, or null. */
function defaultVariables(query: string): string {
  const defaults = parse(query)
    .definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION)
    .flatMap((operation) => operation.variableDefinitions ?? [])
    .map(({ variable, defaultValue }) => [
      variable.name.value,
      defaultValue ? valueFromASTUntyped(defaultValue) : null,
    ]);
  return JSON.stringify(Object.fromEntries(defaults), null, 2);
}
