//! Documents: parsed, validated against the schema, and cached by their text.
//!
//! Our own parser and rules decide what is valid, and word the errors. apollo-compiler then makes
//! the typed document; what it refuses is refused too. The executor's own parser has no limits on
//! tokens and recursion, and is not used.
//!
//! **Invariant:** only valid documents are cached.

use std::sync::Arc;

use apollo_compiler::{
    ExecutableDocument, Schema, ast,
    parser::Parser,
    validation::{DiagnosticList, Valid},
};
use quick_cache::sync::Cache;

use super::{
    expansion,
    positions::positions,
    syntax::{self, Refusal},
    translation::InterfaceMap,
    validation::{Rules, Violation},
};
use crate::{
    domain::Limits,
    graphql::{
        error::{Code, Failure, located, server_error},
        reply::Reply,
        schema,
    },
};

/// How many documents are cached.
const CACHED_MAX: usize = 1_000;
/// The longest document that is cached, in bytes.
const CACHED_BYTES_MAX: usize = 16 * 1024;
/// The most errors of apollo-compiler that one reply lists.
const ERRORS_MAX: usize = 20;
/// The name of every document for the parser.
const FILE_NAME: &str = "document.graphql";

/// A valid document, with the types of the schema.
pub(crate) type Document = Valid<ExecutableDocument>;

/// Reads documents, and caches the most recent ones.
pub(crate) struct Documents {
    schema: Valid<Schema>,
    interfaces: InterfaceMap,
    limits: Limits,
    has_suggestions: bool,
    cached: Cache<String, Arc<Document>>,
}

impl Documents {
    pub(crate) fn new(sdl: &str, limits: Limits) -> Self {
        let schema = schema::typed(sdl);
        let interfaces = schema.implementers_map();
        let cached = Cache::new(CACHED_MAX);
        Self { schema, interfaces, limits, has_suggestions: true, cached }
    }

    /// The same documents with messages that suggest no names of the schema.
    pub(crate) fn without_suggestions(self) -> Self {
        Self { has_suggestions: false, ..self }
    }

    pub(crate) const fn schema(&self) -> &Valid<Schema> {
        &self.schema
    }

    /// What documents and variables are validated against.
    pub(crate) fn rules(&self) -> Rules<'_> {
        let Self { schema, interfaces, has_suggestions, .. } = self;
        Rules { schema, interfaces, has_suggestions: *has_suggestions }
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
        let parsed =
            syntax::parse(text, self.limits.tokens_max).map_err(|refusal| match refusal {
                Refusal::TooLarge(failure) => failure.into(),
                Refusal::Syntax(error) => {
                    let error = Violation { message: error.message, offsets: vec![error.offset] };
                    invalid(Code::ParseFailed, text, vec![error])
                }
            })?;
        let mut parser = parser(&self.limits);
        let ast = parser.parse_ast(parsed.plain(), FILE_NAME);
        if parser.recursion_reached() > schema::NESTING_MAX {
            let message = format!("the document nests deeper than {}", schema::NESTING_MAX);
            return Err(Failure::new(Code::QueryTooDeep, message).into());
        }
        let ast = ast.map_err(|invalid| refused(Code::ParseFailed, &invalid.errors))?;
        expansion::check(&ast, &self.limits)?;

        let violations = self.rules().violations(&parsed.document);
        if !violations.is_empty() {
            return Err(invalid(Code::ValidationFailed, text, violations));
        }
        ast.to_executable_validate(&self.schema)
            .map_err(|invalid| refused(Code::ValidationFailed, &invalid.errors))
    }
}

/// A text as a syntax tree, not validated; `None` if it is too large or is not GraphQL.
pub(crate) fn parsed(text: &str, limits: &Limits) -> Option<ast::Document> {
    let parsed = syntax::parse(text, limits.tokens_max).ok()?;
    parser(limits).parse_ast(parsed.plain(), FILE_NAME).ok()
}

/// A parser with limits. White space between two tokens is a token to it.
fn parser(limits: &Limits) -> Parser {
    Parser::new().token_limit(2 * (limits.tokens_max + 1)).recursion_limit(schema::NESTING_MAX)
}

/// The reply that lists our errors in a text.
fn invalid(code: Code, text: &str, violations: Vec<Violation>) -> Reply {
    let offsets = violations.iter().flat_map(|violation| &violation.offsets).copied();
    let positions = positions(text, offsets);
    let errors = violations.into_iter().map(|Violation { message, offsets }| {
        let locations = offsets.iter().map(|offset| positions[offset]);
        located(Failure::new(code, message), locations.collect())
    });
    Reply::refused(code, &errors.collect::<Vec<_>>())
}

/// The reply that lists the errors of apollo-compiler.
fn refused(code: Code, errors: &DiagnosticList) -> Reply {
    let errors = errors.iter().take(ERRORS_MAX);
    let errors: Vec<_> = errors.map(|error| server_error(code, &error.to_json())).collect();
    Reply::refused(code, &errors)
}
