//! Paging arguments, and what they mean.
//!
//! The same function reads them in the guard, to refuse bad ones before anything is executed, and
//! in the resolver and the projection, to use them.

use async_graphql::SimpleObject;
use async_graphql_value::Value;

use super::order;
use crate::{
    domain::{Ends, FollowPosition, OrderDirection, PageRequest, UserId, UserPosition, Window},
    graphql::{
        cursor::{self, Position},
        error::{Code, Failure},
        lists::{List, OrderField, OrderedList, PAGE_SIZE_DEFAULT},
    },
};

/// The arguments of a list, as the client gave them.
#[derive(Clone, Debug)]
pub(crate) struct PageArguments {
    pub first: Option<i64>,
    pub last: Option<i64>,
    pub after: Option<String>,
    pub before: Option<String>,
    pub field: Option<OrderField>,
    pub direction: Option<OrderDirection>,
}

impl PageArguments {
    /// The arguments of a resolver.
    pub(crate) fn new(
        first: Option<i32>,
        last: Option<i32>,
        after: Option<String>,
        before: Option<String>,
        order: Option<impl Into<(OrderField, OrderDirection)>>,
    ) -> Self {
        let (first, last) = (first.map(i64::from), last.map(i64::from));
        let (field, direction) = order.map(Into::into).unzip();
        Self { first, last, after, before, field, direction }
    }

    /// The arguments of a field, with its variables filled in.
    pub(crate) fn of_field(argument: impl Fn(&str) -> Option<Value>) -> Self {
        let number = |name| match argument(name)? {
            Value::Number(number) => number.as_i64(),
            _ => None,
        };
        let text = |name| match argument(name)? {
            Value::String(text) => Some(text),
            _ => None,
        };
        let order = argument("orderBy");
        let name = |key| match order.as_ref()? {
            Value::Object(order) => match order.get(key)? {
                Value::String(name) => Some(name.as_str()),
                Value::Enum(name) => Some(name.as_str()),
                _ => None,
            },
            _ => None,
        };
        Self {
            first: number("first"),
            last: number("last"),
            after: text("after"),
            before: text("before"),
            field: name("field").and_then(OrderField::parse),
            direction: name("direction").and_then(order::OrderDirection::parse),
        }
    }

    /// The size of the page, which is also its cost.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` when both sizes are given, or one is negative or too large.
    fn window(&self, size_max: u32) -> Result<Window, Failure> {
        let size = |argument: &'static str, n: i64| match u32::try_from(n) {
            Ok(n) if n <= size_max => Ok(n),
            _ => Err(Failure::bad_input(argument, format!("must be from 0 to {size_max}"))),
        };
        match (self.first, self.last) {
            (None, None) => Ok(Window::First(PAGE_SIZE_DEFAULT.min(size_max))),
            (Some(n), None) => Ok(Window::First(size("first", n)?)),
            (None, Some(n)) => Ok(Window::Last(size("last", n)?)),
            (Some(_), Some(_)) => {
                Err(Failure::bad_input("last", "cannot be given together with first".to_owned()))
            }
        }
    }

    /// The page of a list that the arguments ask for.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` or `INVALID_CURSOR`.
    pub(crate) fn read(&self, list: &'static List, size_max: u32) -> Result<ListRequest, Failure> {
        let list = list.ordered(self.field, self.direction);
        let window = self.window(size_max)?;
        let after = decoded(&list, "after", self.after.as_deref())?;
        let before = decoded(&list, "before", self.before.as_deref())?;
        Ok(ListRequest { list, window, after, before })
    }
}

/// A page of a list.
#[derive(Clone, Debug)]
pub(crate) struct ListRequest {
    pub list: OrderedList,
    pub window: Window,
    after: Option<Position>,
    before: Option<Position>,
}

impl ListRequest {
    /// The page of a list whose positions are times.
    pub(crate) fn page_by_time(&self, ends: Ends) -> PageRequest<FollowPosition> {
        self.page(ends, |position| match position {
            Position::Time(position) => Some(*position),
            Position::Username(_) | Position::Event { .. } => None,
        })
    }

    /// The page of a list of users.
    pub(crate) fn page_of_users(&self, ends: Ends) -> PageRequest<UserPosition<'_>> {
        self.page(ends, |position| match position {
            Position::Time(FollowPosition { followed_at, user }) => {
                Some(UserPosition::CreatedAt(*followed_at, *user))
            }
            Position::Username(key) => Some(UserPosition::Username(key)),
            Position::Event { .. } => None,
        })
    }

    /// The page of the log of a user.
    ///
    /// # Errors
    /// `INVALID_CURSOR` for a cursor of the log of another user.
    pub(crate) fn page_of_events(
        &self,
        user: UserId,
        ends: Ends,
    ) -> Result<PageRequest<i64>, Failure> {
        let positions = [("after", &self.after), ("before", &self.before)];
        for (argument, position) in positions {
            if matches!(position, Some(Position::Event { owner, .. }) if *owner != user) {
                return Err(not_of_list(argument));
            }
        }
        Ok(self.page(ends, |position| match position {
            Position::Event { sequence, .. } => Some(*sequence),
            Position::Time(_) | Position::Username(_) => None,
        }))
    }

    fn page<'a, P>(
        &'a self,
        ends: Ends,
        position: fn(&'a Position) -> Option<P>,
    ) -> PageRequest<P> {
        PageRequest {
            direction: self.list.direction,
            window: self.window,
            after: self.after.as_ref().and_then(position),
            before: self.before.as_ref().and_then(position),
            ends,
        }
    }
}

fn decoded(
    list: &OrderedList,
    argument: &'static str,
    cursor: Option<&str>,
) -> Result<Option<Position>, Failure> {
    let Some(cursor) = cursor else { return Ok(None) };
    cursor::decode(list, cursor).map(Some).ok_or_else(|| not_of_list(argument))
}

fn not_of_list(argument: &'static str) -> Failure {
    let message = format!("{argument} is not a cursor of this list in this order");
    Failure::new(Code::InvalidCursor, message).with_argument(argument)
}

/// Where a page of a connection lies within the whole list.
#[derive(SimpleObject)]
pub(crate) struct PageInfo {
    /// The cursor of the last edge of the page: pass it as `after` to get the next page. Null if
    /// the page is empty.
    pub end_cursor: Option<String>,
    /// Whether there are edges after this page, with `first` and with `last`.
    pub has_next_page: bool,
    /// Whether there are edges before this page, with `first` and with `last`.
    pub has_previous_page: bool,
    /// The cursor of the first edge of the page: pass it as `before` to get the previous page.
    /// Null if the page is empty.
    pub start_cursor: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_size_has_a_default() {
        let order = None::<(OrderField, OrderDirection)>;
        let window = |most| PageArguments::new(None, None, None, None, order).window(most).ok();
        assert_eq!(window(100), Some(Window::First(PAGE_SIZE_DEFAULT)));
        assert_eq!(window(5), Some(Window::First(5)));
    }
}
