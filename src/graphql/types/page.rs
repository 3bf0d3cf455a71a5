//! Paging arguments, and what they mean.
//!
//! The same function reads them before anything is executed, to refuse what is wrong, and in the
//! resolver, to use them.

use async_graphql::SimpleObject;

use crate::{
    domain::{
        Ends, FollowList, FollowPosition, OrderDirection, PageRequest, UserOrderField, Window,
    },
    graphql::{
        cursor::{self, List, Position},
        error::{Code, Failure},
    },
};

/// The page that comes when neither `first` nor `last` is given.
pub(crate) const SIZE_DEFAULT: u32 = 20;

/// The paging arguments of a connection, as they are given.
#[derive(Clone, Debug, Default)]
pub(crate) struct PageArguments {
    pub first: Option<i64>,
    pub last: Option<i64>,
    pub after: Option<String>,
    pub before: Option<String>,
}

impl PageArguments {
    pub(crate) fn new(
        first: Option<i32>,
        last: Option<i32>,
        after: Option<String>,
        before: Option<String>,
    ) -> Self {
        Self { first: first.map(i64::from), last: last.map(i64::from), after, before }
    }

    /// The size of the page, which is also what it costs.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` when both sizes are given, or one is negative or too large.
    pub(crate) fn window(&self, size_max: u32) -> Result<Window, Failure> {
        let size = |argument: &'static str, n: i64| match u32::try_from(n) {
            Ok(n) if n <= size_max => Ok(n),
            _ => Err(Failure::bad_input(argument, format!("must be from 0 to {size_max}"))),
        };
        match (self.first, self.last) {
            (None, None) => Ok(Window::First(SIZE_DEFAULT.min(size_max))),
            (Some(n), None) => Ok(Window::First(size("first", n)?)),
            (None, Some(n)) => Ok(Window::Last(size("last", n)?)),
            (Some(_), Some(_)) => {
                Err(Failure::bad_input("last", "cannot be given together with first".to_owned()))
            }
        }
    }

    /// The request for a page of follows.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` or `INVALID_CURSOR`.
    pub(crate) fn follows(
        &self,
        list: FollowList,
        direction: OrderDirection,
        size_max: u32,
    ) -> Result<PageRequest<FollowPosition>, Failure> {
        let list = List::Follows(list, direction);
        let at = |argument, cursor| {
            Ok::<_, Failure>(decoded(list, argument, cursor)?.as_ref().and_then(time))
        };
        Ok(PageRequest {
            direction,
            window: self.window(size_max)?,
            after: at("after", self.after.as_deref())?,
            before: at("before", self.before.as_deref())?,
            ends: Ends::NONE,
        })
    }

    /// The request for a page of users, with owned positions.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` or `INVALID_CURSOR`.
    pub(crate) fn users(
        &self,
        order: UserOrderField,
        direction: OrderDirection,
        size_max: u32,
    ) -> Result<UserPage, Failure> {
        let list = List::Users(order, direction);
        Ok(UserPage {
            order,
            direction,
            window: self.window(size_max)?,
            after: decoded(list, "after", self.after.as_deref())?,
            before: decoded(list, "before", self.before.as_deref())?,
        })
    }
}

/// A page of users that is asked for.
#[derive(Clone, Debug)]
pub(crate) struct UserPage {
    pub order: UserOrderField,
    pub direction: OrderDirection,
    pub window: Window,
    pub after: Option<Position>,
    pub before: Option<Position>,
}

/// The position in a list by time; no other is decoded of one.
fn time(position: &Position) -> Option<FollowPosition> {
    match position {
        Position::Time(position) => Some(*position),
        Position::Username(_) => None,
    }
}

fn decoded(
    list: List,
    argument: &'static str,
    cursor: Option<&str>,
) -> Result<Option<Position>, Failure> {
    let Some(cursor) = cursor else { return Ok(None) };
    let position = cursor::decode(list, cursor);
    let invalid = || {
        let message = format!("{argument} is not a cursor of this list in this order");
        Failure::new(Code::InvalidCursor, message).with_argument(argument)
    };
    position.map(Some).ok_or_else(invalid)
}

/// Where a page of a connection lies within the whole list.
#[derive(SimpleObject)]
pub(crate) struct PageInfo {
    /// The cursor of the last edge of the page: pass it as `after` for the next page. Null when
    /// the page is empty.
    pub end_cursor: Option<String>,
    /// Whether there are edges after this page, in whichever direction it was paged.
    pub has_next_page: bool,
    /// Whether there are edges before this page, in whichever direction it was paged.
    pub has_previous_page: bool,
    /// The cursor of the first edge of the page: pass it as `before` for the previous page. Null
    /// when the page is empty.
    pub start_cursor: Option<String>,
}

/// The position of a user in the list of users by `order`.
pub(crate) fn position_of(order: UserOrderField, user: &crate::domain::User) -> Position {
    match order {
        UserOrderField::CreatedAt => {
            let at = FollowPosition { followed_at: user.created_at, user: user.id };
            Position::Time(at)
        }
        UserOrderField::Username => Position::Username(user.username.to_ascii_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_20_unless_it_is_given() {
        let window = |first, last| {
            PageArguments::new(first, last, None, None).window(100).map_err(|f| f.code())
        };
        assert_eq!(window(None, None), Ok(Window::First(20)));
        assert_eq!(window(Some(0), None), Ok(Window::First(0)));
        assert_eq!(window(None, Some(100)), Ok(Window::Last(100)));
        for (first, last) in [(Some(-1), None), (None, Some(101)), (Some(1), Some(1))] {
            assert_eq!(window(first, last), Err(Code::BadUserInput));
        }
    }
}
