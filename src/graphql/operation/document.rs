//! Documents: parsed, validated against the schema, and cached by their text.
//!
//! apollo-compiler parses and validates, with limits on tokens and recursion. The executor's own
//! parser has no such limits and is not used.
//!
//! **Invariant:** only valid documents are cached.

use std::sync::Arc;

use apollo_compiler::{
    ExecutableDocument, Schema, ast,
    parser::Parser,
    validation::{DiagnosticList, Valid},
};
use quick_cache::sync::Cache;

use super::{expansion, overlap, rules, scan};
use crate::{
    domain::Limits,
    graphql::{
        error::{Code, Failure, server_error},
        reply::Reply,
        schema,
    },
};

/// How many documents are cached.
const CACHED_MAX: usize = 1_000;
/// The longest document that is cached, in bytes.
const CACHED_BYTES_MAX: usize = 16 * 1024;
/// The most errors that one reply lists.
const ERRORS_MAX: usize = 20;
/// The name of every document for the parser.
const FILE_NAME: &str = "document.graphql";

/// A valid document, with the types of the schema.
pub(crate) type Document = Valid<ExecutableDocument>;

/// Reads documents, and caches the most recent ones.
pub(crate) struct Documents {
    schema: Valid<Schema>,
    limits: Limits,
    cached: Cache<String, Arc<Document>>,
}

impl Documents {
    pub(crate) fn new(sdl: &str, limits: Limits) -> Self {
        Self { schema: schema::typed(sdl), limits, cached: Cache::new(CACHED_MAX) }
    }

    pub(crate) const fn schema(&self) -> &Valid<Schema> {
        &self.schema
    }

    /// The document of a text.
    ///
    /// # Errors
    /// The reply to a text that is too long, is not GraphQL, or does not fit the schema.
    pub(crate) fn get(&self, text: &str) -> Result<Arc<Document>, Reply> {
        if let Some(document) = self.cached.get(text) {
            return Ok(document);
        }
        let document = Arc::new(self.read(text)?);
        if text.len() <= CACHED_BYTES_MAX {
            self.cached.insert(text.to_owned(), Arc::clone(&document));
        }
        Ok(document)
    }

    fn read(&self, text: &str) -> Result<Document, Reply> {
        let scan::Plain { text: plain, tokens } = scan::plain(text, self.limits.tokens_max)?;
        let mut parser = parser(&self.limits);
        let ast = parser.parse_ast(plain, FILE_NAME);
        if parser.recursion_reached() > schema::NESTING_MAX {
            let message = format!("the document nests deeper than {}", schema::NESTING_MAX);
            return Err(Failure::new(Code::QueryTooDeep, message).into());
        }
        let ast = ast.map_err(|invalid| refused(Code::ParseFailed, &invalid.errors))?;
        expansion::check(&ast, &self.limits)?;
        // The parser silently drops what it cannot read, such as an argument without a value.
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

/// A text as a syntax tree, not validated; `None` if it is too large or is not GraphQL.
pub(crate) fn parsed(text: &str, limits: &Limits) -> Option<ast::Document> {
    let plain = scan::plain(text, limits.tokens_max).ok()?;
    parser(limits).parse_ast(plain.text, FILE_NAME).ok()
}

/// A parser with limits. White space between two tokens is a token to it.
fn parser(limits: &Limits) -> Parser {
    Parser::new().token_limit(2 * (limits.tokens_max + 1)).recursion_limit(schema::NESTING_MAX)
}

/// The reply that lists what is wrong with a document.
fn refused(code: Code, errors: &DiagnosticList) -> Reply {
    let errors = errors.iter().take(ERRORS_MAX);
    let errors: Vec<_> = errors.map(|error| server_error(code, &error.to_json())).collect();
    Reply::refused(code, &errors)
}
