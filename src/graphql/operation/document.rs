//! Documents: parsed, validated against the schema, and remembered by their text.
//!
//! apollo-compiler parses and validates, with its own limits on tokens and recursion. The
//! executor's parser, which has none, is not used.
//!
//! **Invariant:** a [`Document`] is valid. Only valid ones are remembered.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use apollo_compiler::{
    ExecutableDocument, Schema,
    parser::Parser,
    response::GraphQLError,
    validation::{DiagnosticList, Valid},
};
use async_graphql::{Pos, ServerError};
use quick_cache::sync::Cache;

use super::{expansion, overlap, rules, scan, shape::Shapes};
use crate::{
    domain::Limits,
    graphql::{
        Reply,
        error::{Code, Failure},
        schema,
    },
};

/// How many documents are remembered.
const REMEMBERED_MAX: usize = 1_000;
/// The longest document that is remembered, in bytes.
const REMEMBERED_BYTES_MAX: usize = 16 * 1024;
/// The most errors that one reply lists.
const ERRORS_MAX: usize = 20;

/// A valid document, with the types of the schema.
pub(crate) struct Document {
    pub(crate) executable: Valid<ExecutableDocument>,
    /// Those of its operations, if it is remembered.
    pub(crate) shapes: Option<Shapes>,
}

/// All documents that came lately.
pub(crate) struct Documents {
    schema: Valid<Schema>,
    limits: Limits,
    remembered: Cache<String, Arc<Document>>,
    /// The number of the next one.
    next: AtomicU64,
}

impl Documents {
    pub(crate) fn new(sdl: &str, limits: Limits) -> Self {
        let remembered = Cache::new(REMEMBERED_MAX);
        Self { schema: schema::typed(sdl), limits, remembered, next: AtomicU64::new(0) }
    }

    pub(crate) const fn schema(&self) -> &Valid<Schema> {
        &self.schema
    }

    /// The document of a text.
    ///
    /// # Errors
    /// The reply to a text that is too long, is not GraphQL, or does not fit the schema.
    pub(crate) fn get(&self, text: &str) -> Result<Arc<Document>, Reply> {
        if let Some(document) = self.remembered.get(text) {
            return Ok(document);
        }
        let executable = self.read(text)?;
        if text.len() > REMEMBERED_BYTES_MAX {
            return Ok(Arc::new(Document { executable, shapes: None }));
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let shapes = Some(Shapes::new(&self.schema, &executable, number));
        let document = Arc::new(Document { executable, shapes });
        self.remembered.insert(text.to_owned(), document.clone());
        Ok(document)
    }

    fn read(&self, text: &str) -> Result<Valid<ExecutableDocument>, Reply> {
        let scan::Plain { text: plain, tokens } = scan::plain(text, self.limits.tokens_max)?;
        // Between two tokens there is nothing but white space, which is a token to the parser.
        let mut parser = Parser::new()
            .token_limit(2 * (self.limits.tokens_max + 1))
            .recursion_limit(schema::NESTING_MAX);
        let ast = parser.parse_ast(plain, "document.graphql");
        if parser.recursion_reached() > schema::NESTING_MAX {
            let message = format!("the document nests deeper than {}", schema::NESTING_MAX);
            return Err(Failure::new(Code::QueryTooDeep, message).into());
        }
        let ast = ast.map_err(|invalid| refused(Code::ParseFailed, &invalid.errors))?;
        expansion::check(&ast, &self.limits)?;
        // The parser lets fall what it cannot make out, such as an argument without a value.
        let kept = scan::plain(&ast.serialize().no_indent().to_string(), usize::MAX)?;
        if kept.tokens != tokens {
            let message = "syntax error: an argument or a value is not complete";
            return Err(Failure::new(Code::ParseFailed, message).into());
        }

        let document = ast
            .to_executable_validate(&self.schema)
            .map_err(|invalid| refused(Code::ValidationFailed, &invalid.errors))?;
        rules::check(&self.schema, &document)?;
        overlap::check(&self.schema, &document)?;
        Ok(document)
    }
}

/// The reply that lists what is wrong with a document.
fn refused(code: Code, errors: &DiagnosticList) -> Reply {
    let errors = errors.iter().take(ERRORS_MAX);
    let errors: Vec<_> = errors.map(|error| server_error(code, &error.to_json())).collect();
    Reply::refused(code, &errors)
}

/// An error of apollo-compiler as one of the executor.
pub(crate) fn server_error(code: Code, error: &GraphQLError) -> ServerError {
    let mut server_error = ServerError::from(Failure::new(code, error.message.as_str()));
    let position =
        |at: &apollo_compiler::parser::LineColumn| Pos { line: at.line, column: at.column };
    server_error.locations = error.locations.iter().map(position).collect();
    server_error
}
