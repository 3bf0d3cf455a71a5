//! The grammar of executable documents. It descends recursively, which the lexer has bounded.

use std::{borrow::Cow, collections::HashSet};

use super::{
    SyntaxError,
    ast::{
        Argument, Definition, Directive, Document, Field, Fragment, Inline, Name, Operation,
        OperationKind, Selection, SelectionSet, Spread, TypeReference, Value, ValueKind,
        VariableDefinition,
    },
    lexer::{Kind, Token, Tokens},
};

pub(super) type Parse<T> = Result<T, SyntaxError>;

pub(super) struct Parser<'a> {
    text: &'a str,
    tokens: Tokens<'a>,
    /// The number of the current token.
    current: usize,
    descriptions: HashSet<usize>,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str, tokens: Tokens<'a>) -> Parse<Self> {
        match &tokens.error {
            Some(error) if tokens.list.is_empty() => Err(error.clone()),
            _ => Ok(Self { text, tokens, current: 0, descriptions: HashSet::new() }),
        }
    }

    /// All tokens, and the numbers of those that are descriptions.
    pub(super) fn into_tokens(self) -> (Vec<Token<'a>>, HashSet<usize>) {
        (self.tokens.list, self.descriptions)
    }

    pub(super) fn document(&mut self) -> Parse<Document<'a>> {
        let mut definitions = vec![self.definition()?];
        while self.token().kind != Kind::End {
            definitions.push(self.definition()?);
        }
        Ok(Document { definitions })
    }

    fn definition(&mut self) -> Parse<Definition<'a>> {
        let is_described = self.is_description();
        let offset = self.token().start;
        let keyword = if is_described { self.lookahead()?.clone() } else { self.token().clone() };
        match (keyword.kind, &*keyword.value) {
            (Kind::Punctuator("{"), _) if is_described => Err(SyntaxError::new(
                offset,
                "Unexpected description, descriptions are not supported on shorthand queries.",
            )),
            (Kind::Punctuator("{"), _) => Ok(Definition::Operation(Operation {
                offset,
                kind: OperationKind::Query,
                name: None,
                variables: Vec::new(),
                directives: Vec::new(),
                selections: self.selection_set()?,
            })),
            (Kind::Name, "query" | "mutation" | "subscription") => {
                Ok(Definition::Operation(self.operation()?))
            }
            (Kind::Name, "fragment") => Ok(Definition::Fragment(self.fragment()?)),
            (Kind::Name, keyword) if super::definitions::is_keyword(keyword) => {
                Ok(Definition::TypeSystem(self.type_system()?))
            }
            (Kind::Name, _) if is_described => Err(SyntaxError::new(
                offset,
                "Unexpected description, only GraphQL definitions support descriptions.",
            )),
            (Kind::Name, "extend") => Ok(Definition::TypeSystem(self.extension()?)),
            _ => Err(unexpected(&keyword)),
        }
    }

    fn operation(&mut self) -> Parse<Operation<'a>> {
        let offset = self.token().start;
        self.blank_description()?;
        let kind = self.operation_kind()?;
        let name = if self.token().kind == Kind::Name { Some(self.name()?) } else { None };
        Ok(Operation {
            offset,
            kind,
            name,
            variables: self.optional_many("(", Self::variable_definition, ")")?,
            directives: self.directives(false)?,
            selections: self.selection_set()?,
        })
    }

    pub(super) fn operation_kind(&mut self) -> Parse<OperationKind> {
        let token = self.expect(Kind::Name)?;
        match &*token.value {
            "query" => Ok(OperationKind::Query),
            "mutation" => Ok(OperationKind::Mutation),
            "subscription" => Ok(OperationKind::Subscription),
            _ => Err(unexpected(&token)),
        }
    }

    fn fragment(&mut self) -> Parse<Fragment<'a>> {
        let offset = self.token().start;
        self.blank_description()?;
        self.expect_keyword("fragment")?;
        let name = self.fragment_name()?;
        self.expect_keyword("on")?;
        Ok(Fragment {
            offset,
            name,
            condition: self.name()?,
            directives: self.directives(false)?,
            selections: self.selection_set()?,
        })
    }

    fn fragment_name(&mut self) -> Parse<Name<'a>> {
        if self.token().value == "on" {
            return Err(unexpected(self.token()));
        }
        self.name()
    }

    fn variable_definition(&mut self) -> Parse<VariableDefinition<'a>> {
        let offset = self.token().start;
        self.blank_description()?;
        self.expect(Kind::Punctuator("$"))?;
        let name = self.name()?;
        self.expect(Kind::Punctuator(":"))?;
        Ok(VariableDefinition {
            offset,
            name,
            ty: self.type_reference()?,
            default: if self.skip("=")? { Some(self.value(true)?) } else { None },
            directives: self.directives(true)?,
        })
    }

    pub(super) fn type_reference(&mut self) -> Parse<TypeReference<'a>> {
        let offset = self.token().start;
        let mut reference = if self.skip("[")? {
            let inner = self.type_reference()?;
            self.expect(Kind::Punctuator("]"))?;
            TypeReference { offset, ty: inner.ty.list(), ..inner }
        } else {
            TypeReference::named(self.name()?)
        };
        if self.skip("!")? {
            reference.ty = reference.ty.non_null();
        }
        Ok(reference)
    }

    fn selection_set(&mut self) -> Parse<SelectionSet<'a>> {
        let offset = self.token().start;
        let items = self.many("{", Self::selection, "}")?;
        Ok(SelectionSet { offset, items })
    }

    fn selection(&mut self) -> Parse<Selection<'a>> {
        let offset = self.token().start;
        if !self.skip("...")? {
            return Ok(Selection::Field(self.field()?));
        }
        let has_condition = self.skip_keyword("on")?;
        if !has_condition && self.token().kind == Kind::Name {
            let name = self.fragment_name()?;
            return Ok(Selection::Spread(Spread {
                offset,
                name,
                directives: self.directives(false)?,
            }));
        }
        Ok(Selection::Inline(Inline {
            offset,
            condition: if has_condition { Some(self.name()?) } else { None },
            directives: self.directives(false)?,
            selections: self.selection_set()?,
        }))
    }

    fn field(&mut self) -> Parse<Field<'a>> {
        let first = self.name()?;
        let is_aliased = self.skip(":")?;
        let name = if is_aliased { self.name()? } else { first };
        Ok(Field {
            offset: first.offset,
            alias: is_aliased.then_some(first),
            name,
            arguments: self.optional_many("(", |parser| parser.argument(false), ")")?,
            directives: self.directives(false)?,
            selections: if self.is_at("{") { Some(self.selection_set()?) } else { None },
        })
    }

    fn argument(&mut self, is_constant: bool) -> Parse<Argument<'a>> {
        let name = self.name()?;
        self.expect(Kind::Punctuator(":"))?;
        Ok(Argument { name, value: self.value(is_constant)? })
    }

    pub(super) fn directives(&mut self, is_constant: bool) -> Parse<Vec<Directive<'a>>> {
        let mut directives = Vec::new();
        while self.is_at("@") {
            let offset = self.expect(Kind::Punctuator("@"))?.start;
            let name = self.name()?;
            let arguments = self.optional_many("(", |parser| parser.argument(is_constant), ")")?;
            directives.push(Directive { offset, name, arguments });
        }
        Ok(directives)
    }

    pub(super) fn value(&mut self, is_constant: bool) -> Parse<Value<'a>> {
        let token = self.token().clone();
        let offset = token.start;
        let kind = match token.kind {
            Kind::Punctuator("[") => {
                ValueKind::List(self.any("[", |parser| parser.value(is_constant), "]")?)
            }
            Kind::Punctuator("{") => {
                ValueKind::Object(self.any("{", |parser| parser.argument(is_constant), "}")?)
            }
            Kind::Punctuator("$") => {
                self.advance()?;
                if is_constant {
                    return Err(self.variable_in_constant(&token));
                }
                ValueKind::Variable(self.name()?.text)
            }
            Kind::Punctuator(_) | Kind::End => return Err(unexpected(&token)),
            leaf => {
                self.advance()?;
                leaf_value(leaf, &self.text[token.start..token.end], token.value)
            }
        };
        Ok(Value { offset, kind })
    }

    fn variable_in_constant(&self, dollar: &Token<'_>) -> SyntaxError {
        let name = self.token();
        if name.kind != Kind::Name {
            return unexpected(dollar);
        }
        let message = format!("Unexpected variable \"${}\" in constant value.", name.value);
        SyntaxError::new(dollar.start, message)
    }
}

/// The value of one token, with its text as written.
fn leaf_value<'a>(kind: Kind, written: &'a str, value: Cow<'a, str>) -> ValueKind<'a> {
    match (kind, written) {
        (Kind::String, _) => ValueKind::String { text: value, is_block: false },
        (Kind::BlockString, _) => ValueKind::String { text: value, is_block: true },
        (Kind::Int, _) => ValueKind::Int(written),
        (Kind::Float, _) => ValueKind::Float(written),
        (_, "true") => ValueKind::Boolean(true),
        (_, "false") => ValueKind::Boolean(false),
        (_, "null") => ValueKind::Null,
        _ => ValueKind::Enum(written),
    }
}

/// Single tokens, and lists of nodes.
impl<'a> Parser<'a> {
    pub(super) fn token(&self) -> &Token<'a> {
        &self.tokens.list[self.current]
    }

    pub(super) fn lookahead(&self) -> Parse<&Token<'a>> {
        match (self.tokens.list.get(self.current + 1), &self.tokens.error) {
            (Some(token), _) => Ok(token),
            (None, Some(error)) => Err(error.clone()),
            (None, None) => Ok(self.token()),
        }
    }

    fn advance(&mut self) -> Parse<()> {
        self.lookahead()?;
        self.current = (self.current + 1).min(self.tokens.list.len() - 1);
        Ok(())
    }

    pub(super) fn is_at(&self, punctuator: &'static str) -> bool {
        self.token().kind == Kind::Punctuator(punctuator)
    }

    fn is_description(&self) -> bool {
        matches!(self.token().kind, Kind::String | Kind::BlockString)
    }

    /// Skips a description, if there is one.
    pub(super) fn skip_description(&mut self) -> Parse<()> {
        if self.is_description() { self.advance() } else { Ok(()) }
    }

    /// Skips a description that is left out of the normalized text.
    fn blank_description(&mut self) -> Parse<()> {
        if self.is_description() {
            self.descriptions.insert(self.current);
        }
        self.skip_description()
    }

    pub(super) fn expect(&mut self, kind: Kind) -> Parse<Token<'a>> {
        let token = self.token().clone();
        if token.kind != kind {
            let (expected, found) = (kind.description(), token.description());
            let message = format!("Expected {expected}, found {found}.");
            return Err(SyntaxError::new(token.start, message));
        }
        self.advance()?;
        Ok(token)
    }

    pub(super) fn name(&mut self) -> Parse<Name<'a>> {
        let token = self.expect(Kind::Name)?;
        Ok(Name { text: &self.text[token.start..token.end], offset: token.start })
    }

    pub(super) fn skip(&mut self, punctuator: &'static str) -> Parse<bool> {
        if !self.is_at(punctuator) {
            return Ok(false);
        }
        self.advance().map(|()| true)
    }

    pub(super) fn skip_keyword(&mut self, keyword: &str) -> Parse<bool> {
        if self.token().kind != Kind::Name || self.token().value != keyword {
            return Ok(false);
        }
        self.advance().map(|()| true)
    }

    pub(super) fn expect_keyword(&mut self, keyword: &str) -> Parse<()> {
        if self.skip_keyword(keyword)? {
            return Ok(());
        }
        let token = self.token();
        let message = format!("Expected \"{keyword}\", found {}.", token.description());
        Err(SyntaxError::new(token.start, message))
    }

    /// Any number of nodes, between two punctuators.
    fn any<T>(
        &mut self,
        open: &'static str,
        node: impl Fn(&mut Self) -> Parse<T>,
        close: &'static str,
    ) -> Parse<Vec<T>> {
        self.expect(Kind::Punctuator(open))?;
        let mut nodes = Vec::new();
        while !self.skip(close)? {
            nodes.push(node(self)?);
        }
        Ok(nodes)
    }

    /// At least one node, between two punctuators.
    pub(super) fn many<T>(
        &mut self,
        open: &'static str,
        node: impl Fn(&mut Self) -> Parse<T>,
        close: &'static str,
    ) -> Parse<Vec<T>> {
        self.expect(Kind::Punctuator(open))?;
        let mut nodes = vec![node(self)?];
        while !self.skip(close)? {
            nodes.push(node(self)?);
        }
        Ok(nodes)
    }

    /// At least one node between two punctuators, or nothing at all.
    pub(super) fn optional_many<T>(
        &mut self,
        open: &'static str,
        node: impl Fn(&mut Self) -> Parse<T>,
        close: &'static str,
    ) -> Parse<Vec<T>> {
        if self.is_at(open) { self.many(open, node, close) } else { Ok(Vec::new()) }
    }
}

pub(super) fn unexpected(token: &Token<'_>) -> SyntaxError {
    SyntaxError::new(token.start, format!("Unexpected {}.", token.description()))
}
