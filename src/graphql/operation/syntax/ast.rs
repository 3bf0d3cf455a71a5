//! The tree of a document, as written: every node has its offset in the text, in bytes.
//!
//! The tree of apollo-compiler does not keep what error locations need: where a selection set
//! begins, and whether a string is a block string.

use std::borrow::Cow;

use apollo_compiler::{Name as TypeName, ast::Type};

/// A document.
pub(crate) struct Document<'a> {
    pub definitions: Vec<Definition<'a>>,
}

pub(crate) enum Definition<'a> {
    Operation(Operation<'a>),
    Fragment(Fragment<'a>),
    TypeSystem(TypeSystem<'a>),
}

/// The definition or the extension of a type, a directive or the schema. Its contents are not kept:
/// it cannot be executed.
pub(crate) struct TypeSystem<'a> {
    pub offset: usize,
    /// `None` for the schema.
    pub name: Option<&'a str>,
    /// Whether it defines a type.
    pub is_type: bool,
}

/// A name, or a reference to a named type.
#[derive(Clone, Copy)]
pub(crate) struct Name<'a> {
    pub text: &'a str,
    pub offset: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum OperationKind {
    Query,
    Mutation,
    Subscription,
}

pub(crate) struct Operation<'a> {
    pub offset: usize,
    pub kind: OperationKind,
    pub name: Option<Name<'a>>,
    pub variables: Vec<VariableDefinition<'a>>,
    pub directives: Vec<Directive<'a>>,
    pub selections: SelectionSet<'a>,
}

pub(crate) struct Fragment<'a> {
    pub offset: usize,
    pub name: Name<'a>,
    pub condition: Name<'a>,
    pub directives: Vec<Directive<'a>>,
    pub selections: SelectionSet<'a>,
}

pub(crate) struct VariableDefinition<'a> {
    pub offset: usize,
    pub name: Name<'a>,
    pub ty: TypeReference<'a>,
    pub default: Option<Value<'a>>,
    pub directives: Vec<Directive<'a>>,
}

pub(crate) struct TypeReference<'a> {
    pub offset: usize,
    pub named: Name<'a>,
    /// The whole type, with its lists.
    pub ty: Type,
}

impl TypeReference<'_> {
    pub(super) fn named(name: Name<'_>) -> TypeReference<'_> {
        let ty = Type::Named(TypeName::new_unchecked(name.text));
        TypeReference { offset: name.offset, named: name, ty }
    }
}

/// At least one selection, in braces.
pub(crate) struct SelectionSet<'a> {
    pub offset: usize,
    pub items: Vec<Selection<'a>>,
}

pub(crate) enum Selection<'a> {
    Field(Field<'a>),
    Spread(Spread<'a>),
    Inline(Inline<'a>),
}

pub(crate) struct Field<'a> {
    pub offset: usize,
    pub alias: Option<Name<'a>>,
    pub name: Name<'a>,
    pub arguments: Vec<Argument<'a>>,
    pub directives: Vec<Directive<'a>>,
    pub selections: Option<SelectionSet<'a>>,
}

impl<'a> Field<'a> {
    pub(crate) fn response_key(&self) -> &'a str {
        self.alias.unwrap_or(self.name).text
    }
}

/// `...Name`
pub(crate) struct Spread<'a> {
    pub offset: usize,
    pub name: Name<'a>,
    pub directives: Vec<Directive<'a>>,
}

/// `... on Type { }`
pub(crate) struct Inline<'a> {
    pub offset: usize,
    pub condition: Option<Name<'a>>,
    pub directives: Vec<Directive<'a>>,
    pub selections: SelectionSet<'a>,
}

pub(crate) struct Directive<'a> {
    pub offset: usize,
    pub name: Name<'a>,
    pub arguments: Vec<Argument<'a>>,
}

/// An argument, or a field of an object.
pub(crate) struct Argument<'a> {
    pub name: Name<'a>,
    pub value: Value<'a>,
}

pub(crate) struct Value<'a> {
    pub offset: usize,
    pub kind: ValueKind<'a>,
}

pub(crate) enum ValueKind<'a> {
    Variable(&'a str),
    Int(&'a str),
    Float(&'a str),
    String { text: Cow<'a, str>, is_block: bool },
    Boolean(bool),
    Null,
    Enum(&'a str),
    List(Vec<Value<'a>>),
    Object(Vec<Argument<'a>>),
}
