//! Documents: parsed, validated against the schema, and remembered by their text.
//!
//! apollo-compiler parses and validates, with its own limits on tokens and recursion, before the
//! executor's parser, which has none, sees the text.
//!
//! **Invariant:** a [`Document`] is valid. Only valid ones are remembered.

use std::sync::Arc;

use apollo_compiler::{
    ExecutableDocument, Schema,
    parser::Parser,
    response::GraphQLError,
    validation::{DiagnosticList, Valid},
};
use async_graphql::{
    Pos, ServerError,
    parser::{parse_query, types},
};
use quick_cache::sync::Cache;

use super::{
    Reply,
    error::{Code, Failure},
    expansion, schema,
};

/// How many documents are remembered.
const REMEMBERED_MAX: usize = 1_000;
/// The longest document that is remembered, in bytes.
const REMEMBERED_BYTES_MAX: usize = 16 * 1024;
/// How many selections a document may become for each token that it may have. Only fragments that
/// are spread again and again come near it.
const SELECTIONS_PER_TOKEN: u64 = 5;
/// The most errors that one reply lists.
const ERRORS_MAX: usize = 20;

/// A valid document.
pub(super) struct Document {
    /// With the types of the schema, for the guard.
    pub typed: Valid<ExecutableDocument>,
    /// As the executor takes it.
    pub parsed: types::ExecutableDocument,
}

/// All documents that came lately.
pub(super) struct Documents {
    schema: Valid<Schema>,
    tokens_max: usize,
    remembered: Cache<String, Arc<Document>>,
}

impl Documents {
    pub(super) fn new(sdl: &str, tokens_max: usize) -> Self {
        let remembered = Cache::new(REMEMBERED_MAX);
        Self { schema: schema::typed(sdl), tokens_max, remembered }
    }

    pub(super) const fn schema(&self) -> &Valid<Schema> {
        &self.schema
    }

    /// The document of a text.
    ///
    /// # Errors
    /// The reply to a text that is too long, is not GraphQL, or does not fit the schema.
    pub(super) fn get(&self, text: &str) -> Result<Arc<Document>, Reply> {
        if let Some(document) = self.remembered.get(text) {
            return Ok(document);
        }
        let document = Arc::new(self.read(text)?);
        if text.len() <= REMEMBERED_BYTES_MAX {
            self.remembered.insert(text.to_owned(), document.clone());
        }
        Ok(document)
    }

    fn read(&self, text: &str) -> Result<Document, Reply> {
        let mut parser =
            Parser::new().token_limit(self.tokens_max).recursion_limit(schema::NESTING_MAX);
        let ast = parser.parse_ast(text, "document.graphql");
        if parser.tokens_reached() > self.tokens_max {
            let message = format!("the document has more than {} tokens", self.tokens_max);
            return Err(Failure::new(Code::QueryTooLarge, message).into());
        }
        if parser.recursion_reached() > schema::NESTING_MAX {
            let message = format!("the document nests deeper than {}", schema::NESTING_MAX);
            return Err(Failure::new(Code::QueryTooDeep, message).into());
        }
        let ast = ast.map_err(|invalid| refused(Code::ParseFailed, &invalid.errors))?;
        expansion::check(&ast, SELECTIONS_PER_TOKEN * self.tokens_max as u64)?;
        let typed = ast
            .to_executable_validate(&self.schema)
            .map_err(|invalid| refused(Code::ValidationFailed, &invalid.errors))?;

        let parsed = parse_query(text).map_err(|error| {
            tracing::error!(%error, "the executor cannot parse what is valid");
            Failure::new(Code::ParseFailed, "the document cannot be parsed")
        })?;
        Ok(Document { typed, parsed })
    }
}

/// The reply that lists what is wrong with a document.
fn refused(code: Code, errors: &DiagnosticList) -> Reply {
    let errors = errors.iter().take(ERRORS_MAX);
    let errors: Vec<_> = errors.map(|error| server_error(code, &error.to_json())).collect();
    Reply::refused(code, &errors)
}

/// An error of apollo-compiler as one of the executor.
pub(super) fn server_error(code: Code, error: &GraphQLError) -> ServerError {
    let mut server_error = ServerError::from(Failure::new(code, error.message.as_str()));
    let position =
        |at: &apollo_compiler::parser::LineColumn| Pos { line: at.line, column: at.column };
    server_error.locations = error.locations.iter().map(position).collect();
    server_error
}
