import type { CodegenConfig } from "@graphql-codegen/cli";

const types = {
  enumsAsTypes: true,
  scalars: { DateTime: "string", URI: "string" },
  strictScalars: true,
  useTypeImports: true,
};

/** Also writes the texts of all documents: the server trusts those of its own pages. */
const persistedDocuments = true;

/** Types for every document of both pages, checked against the schema of the server. */
const config: CodegenConfig = {
  schema: "../schema.graphql",
  generates: {
    "src/app/generated/": {
      documents: "src/app/**/*.{ts,tsx}",
      preset: "client",
      presetConfig: {
        fragmentMasking: { unmaskFunctionName: "getFragmentData" },
        persistedDocuments,
      },
      config: types,
    },
    // The documents of GraphiQL's tabs and of its bar are checked too.
    "src/graphiql/generated/": {
      documents: ["documents/*.graphql", "src/graphiql/*.graphql"],
      preset: "client",
      presetConfig: { fragmentMasking: false, persistedDocuments },
      config: { ...types, documentMode: "string" },
    },
  },
};

export default config;
