//! Arrays of numbers, times and texts, read from a row in place.
//!
//! Most of what a page of follows sends are such arrays. sqlx decodes any array of anything,
//! element by element with a type for each, and that takes many times longer than these do.

use chrono::{DateTime, Utc};
use sqlx::{Row, ValueRef, postgres::PgRow};

/// PostgreSQL counts microseconds from the beginning of 2000.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// What an array of one dimension begins with: the number of its dimensions, a flag, the type of
/// its elements, their number, and the index of the first; 32 bits each.
const HEADER_LENGTH: usize = 5 * size_of::<u32>();

/// An element: its length, and its value in 64 bits.
const ELEMENT_LENGTH: usize = size_of::<u32>() + VALUE_LENGTH;
const VALUE_LENGTH: usize = size_of::<i64>();

/// The elements of a `bigint[]`; none when it is null.
pub(super) fn of_numbers(
    row: &PgRow,
    column: usize,
) -> sqlx::Result<impl ExactSizeIterator<Item = sqlx::Result<i64>>> {
    let (elements, rest) = elements(row, column)?.as_chunks();
    if rest.is_empty() { Ok(elements.iter().map(element)) } else { Err(unreadable()) }
}

/// The elements of a `timestamptz[]`; none when it is null.
pub(super) fn of_times(
    row: &PgRow,
    column: usize,
) -> sqlx::Result<impl ExactSizeIterator<Item = sqlx::Result<DateTime<Utc>>>> {
    let time = |micros: i64| {
        let micros = micros.checked_add(EPOCH_MICROS)?;
        DateTime::from_timestamp_micros(micros)
    };
    let numbers = of_numbers(row, column)?;
    Ok(numbers.map(move |micros| time(micros?).ok_or_else(unreadable)))
}

/// The elements of a `text[]`; none when it is null.
pub(super) fn of_texts(
    row: &PgRow,
    column: usize,
) -> sqlx::Result<impl Iterator<Item = sqlx::Result<Option<&str>>>> {
    let mut rest = elements(row, column)?;
    Ok(std::iter::from_fn(move || {
        (!rest.is_empty()).then(|| {
            let (text, after) = text(rest).ok_or_else(unreadable)?;
            rest = after;
            Ok(text)
        })
    })
    .fuse())
}

/// The bytes of all elements.
fn elements(row: &PgRow, column: usize) -> sqlx::Result<&[u8]> {
    let value = row.try_get_raw(column)?;
    let bytes =
        if value.is_null() { &[][..] } else { value.as_bytes().map_err(sqlx::Error::Decode)? };
    // An array without elements has no dimensions either: its header is shorter.
    Ok(bytes.get(HEADER_LENGTH..).unwrap_or_default())
}

/// The first of some elements, and the rest. Its length is -1 when it is null.
fn text(elements: &[u8]) -> Option<(Option<&str>, &[u8])> {
    let (length, rest) = elements.split_first_chunk()?;
    let length = i32::from_be_bytes(*length);
    if length == -1 {
        return Some((None, rest));
    }
    let (text, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    Some((Some(std::str::from_utf8(text).ok()?), rest))
}

fn element(bytes: &[u8; ELEMENT_LENGTH]) -> sqlx::Result<i64> {
    match bytes.split_first_chunk() {
        Some((length, value)) if u32::from_be_bytes(*length) as usize == VALUE_LENGTH => {
            value.try_into().map(i64::from_be_bytes).map_err(|_| unreadable())
        }
        _ => Err(unreadable()),
    }
}

fn unreadable() -> sqlx::Error {
    sqlx::Error::Decode("an array does not hold what it should".into())
}
