import type { CodegenConfig } from "@graphql-codegen/cli";

/** Types for the documents of the TypeScript client, checked against the schema of the server. */
const config: CodegenConfig = {
  schema: "../../../schema.graphql",
  documents: "client.ts",
  generates: {
    "generated/": {
      preset: "client",
      config: {
        documentMode: "string",
        enumsAsTypes: true,
        scalars: { DateTime: "string", URI: "string" },
        strictScalars: true,
        useTypeImports: true,
      },
    },
  },
};

export default config;
