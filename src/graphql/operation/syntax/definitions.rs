//! The grammar of type system definitions. They cannot be executed, but a document that has one is
//! refused for that, not for its syntax; so only their names are kept.

use super::{
    SyntaxError,
    ast::{Name, TypeSystem},
    lexer::Kind,
    parser::{Parse, Parser, unexpected},
};

const KEYWORDS: [&str; 8] =
    ["schema", "scalar", "type", "interface", "union", "enum", "input", "directive"];

const DIRECTIVE_LOCATIONS: [&str; 20] = [
    "QUERY",
    "MUTATION",
    "SUBSCRIPTION",
    "FIELD",
    "FRAGMENT_DEFINITION",
    "FRAGMENT_SPREAD",
    "INLINE_FRAGMENT",
    "VARIABLE_DEFINITION",
    "SCHEMA",
    "SCALAR",
    "OBJECT",
    "FIELD_DEFINITION",
    "ARGUMENT_DEFINITION",
    "INTERFACE",
    "UNION",
    "ENUM",
    "ENUM_VALUE",
    "INPUT_OBJECT",
    "INPUT_FIELD_DEFINITION",
    "DIRECTIVE_DEFINITION",
];

/// Whether a definition of the type system begins with this word.
pub(super) fn is_keyword(word: &str) -> bool {
    KEYWORDS.contains(&word)
}

impl<'a> Parser<'a> {
    pub(super) fn type_system(&mut self) -> Parse<TypeSystem<'a>> {
        let offset = self.token().start;
        self.skip_description()?;
        let keyword = self.name()?.text;
        match keyword {
            "schema" => {
                self.directives(true)?;
                self.many("{", Self::root_operation, "}")?;
                Ok(TypeSystem { offset, name: None, is_type: false })
            }
            "directive" => {
                let name = self.directive_definition()?;
                Ok(TypeSystem { offset, name: Some(name.text), is_type: false })
            }
            _ => {
                let name = self.name()?;
                self.body(keyword)?;
                Ok(TypeSystem { offset, name: Some(name.text), is_type: true })
            }
        }
    }

    pub(super) fn extension(&mut self) -> Parse<TypeSystem<'a>> {
        let offset = self.token().start;
        let keyword = self.lookahead()?.clone();
        let is_extended = is_keyword(&keyword.value) && keyword.value != "directive";
        if keyword.kind != Kind::Name || !is_extended {
            return Err(unexpected(&keyword));
        }
        self.expect_keyword("extend")?;
        let keyword = self.name()?.text;
        if keyword != "schema" {
            let name = self.name()?;
            if !self.body(keyword)? {
                return Err(unexpected(self.token()));
            }
            return Ok(TypeSystem { offset, name: Some(name.text), is_type: false });
        }
        let directives = self.directives(true)?;
        let roots = self.optional_many("{", Self::root_operation, "}")?;
        if directives.is_empty() && roots.is_empty() {
            return Err(unexpected(self.token()));
        }
        Ok(TypeSystem { offset, name: None, is_type: false })
    }

    /// What follows the name of a type. Returns whether there is anything.
    fn body(&mut self, keyword: &str) -> Parse<bool> {
        let start = self.token().start;
        if matches!(keyword, "type" | "interface") && self.skip_keyword("implements")? {
            self.delimited("&", |parser| parser.name().map(drop))?;
        }
        self.directives(true)?;
        match keyword {
            "type" | "interface" => {
                self.optional_many("{", Self::field_definition, "}")?;
            }
            "input" => {
                self.optional_many("{", Self::input_value, "}")?;
            }
            "enum" => {
                self.optional_many("{", Self::enum_value, "}")?;
            }
            "union" if self.skip("=")? => self.delimited("|", |parser| parser.name().map(drop))?,
            _ => {}
        }
        Ok(self.token().start != start)
    }

    fn root_operation(&mut self) -> Parse<()> {
        self.operation_kind()?;
        self.expect(Kind::Punctuator(":"))?;
        self.name().map(drop)
    }

    fn field_definition(&mut self) -> Parse<()> {
        self.skip_description()?;
        self.name()?;
        self.optional_many("(", Self::input_value, ")")?;
        self.expect(Kind::Punctuator(":"))?;
        self.type_reference()?;
        self.directives(true).map(drop)
    }

    fn input_value(&mut self) -> Parse<()> {
        self.skip_description()?;
        self.name()?;
        self.expect(Kind::Punctuator(":"))?;
        self.type_reference()?;
        if self.skip("=")? {
            self.value(true)?;
        }
        self.directives(true).map(drop)
    }

    fn enum_value(&mut self) -> Parse<()> {
        self.skip_description()?;
        let token = self.token();
        if ["true", "false", "null"].contains(&&*token.value) {
            let found = token.description();
            let message = format!("{found} is reserved and cannot be used for an enum value.");
            return Err(SyntaxError::new(token.start, message));
        }
        self.name()?;
        self.directives(true).map(drop)
    }

    fn directive_definition(&mut self) -> Parse<Name<'a>> {
        self.expect(Kind::Punctuator("@"))?;
        let name = self.name()?;
        self.optional_many("(", Self::input_value, ")")?;
        self.skip_keyword("repeatable")?;
        self.expect_keyword("on")?;
        self.delimited("|", |parser| {
            let token = parser.token().clone();
            let location = parser.name()?;
            if DIRECTIVE_LOCATIONS.contains(&location.text) {
                return Ok(());
            }
            Err(unexpected(&token))
        })?;
        Ok(name)
    }

    /// At least one node, with a punctuator between two, and perhaps before the first.
    fn delimited(
        &mut self,
        punctuator: &'static str,
        node: impl Fn(&mut Self) -> Parse<()>,
    ) -> Parse<()> {
        self.skip(punctuator)?;
        node(self)?;
        while self.skip(punctuator)? {
            node(self)?;
        }
        Ok(())
    }
}
