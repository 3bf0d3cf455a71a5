//! Numbers, arrays of numbers, times and texts, and edges as bytes, read from a row in place.
//!
//! A page of follows consists of such values. sqlx decodes arrays of any type, element by element,
//! and compares the type of each value, which takes many times longer.

use chrono::{DateTime, Utc};
use sqlx::{Row, ValueRef, postgres::PgRow};

/// The epoch of PostgreSQL, the beginning of 2000, in microseconds.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// The header of an array of one dimension: the number of dimensions, a flag, the type of the
/// elements, their number, and the index of the first; 32 bits each.
const HEADER_LENGTH: usize = 5 * size_of::<u32>();

/// An element: a length, and a value of 64 bits.
const ELEMENT_LENGTH: usize = size_of::<u32>() + VALUE_LENGTH;
const VALUE_LENGTH: usize = size_of::<i64>();

/// A `bigint`.
pub(super) fn number(row: &PgRow, column: usize) -> sqlx::Result<i64> {
    bytes(row, column)?.try_into().map(i64::from_be_bytes).map_err(|_| unreadable())
}

/// The elements of a `bigint[]`; empty if it is null.
pub(super) fn of_numbers(
    row: &PgRow,
    column: usize,
) -> sqlx::Result<impl ExactSizeIterator<Item = sqlx::Result<i64>>> {
    let (elements, rest) = elements(row, column)?.as_chunks();
    if rest.is_empty() { Ok(elements.iter().map(element)) } else { Err(unreadable()) }
}

/// The elements of a `timestamptz[]`; empty if it is null.
pub(super) fn of_times(
    row: &PgRow,
    column: usize,
) -> sqlx::Result<impl ExactSizeIterator<Item = sqlx::Result<DateTime<Utc>>>> {
    Ok(of_numbers(row, column)?.map(|micros| time(micros?)))
}

/// The times and users of a `bytea` that holds edges one after the other; empty if it is null.
pub(super) fn of_edges(
    row: &PgRow,
    column: usize,
) -> sqlx::Result<impl ExactSizeIterator<Item = sqlx::Result<(DateTime<Utc>, i64)>>> {
    let (values, rest) = bytes(row, column)?.as_chunks::<VALUE_LENGTH>();
    let (edges, odd) = values.as_chunks();
    if !rest.is_empty() || !odd.is_empty() {
        return Err(unreadable());
    }
    let edge = |[micros, user]: &[[u8; VALUE_LENGTH]; 2]| {
        Ok((time(i64::from_be_bytes(*micros))?, i64::from_be_bytes(*user)))
    };
    Ok(edges.iter().map(edge))
}

/// The elements of a `text[]`; empty if it is null.
pub(super) fn of_texts(row: &PgRow, column: usize) -> sqlx::Result<Vec<Option<&str>>> {
    texts(elements(row, column)?).ok_or_else(unreadable)
}

/// The bytes of all elements.
fn elements(row: &PgRow, column: usize) -> sqlx::Result<&[u8]> {
    // An empty array has no dimensions, and so a shorter header.
    Ok(bytes(row, column)?.get(HEADER_LENGTH..).unwrap_or_default())
}

/// The bytes of a value; empty if it is null.
fn bytes(row: &PgRow, column: usize) -> sqlx::Result<&[u8]> {
    let value = row.try_get_raw(column)?;
    if value.is_null() { Ok(&[]) } else { value.as_bytes().map_err(sqlx::Error::Decode) }
}

/// A `timestamptz`.
fn time(micros: i64) -> sqlx::Result<DateTime<Utc>> {
    let micros = micros.checked_add(EPOCH_MICROS);
    micros.and_then(DateTime::from_timestamp_micros).ok_or_else(unreadable)
}

/// Texts, each after its length, which is -1 for null.
fn texts(mut elements: &[u8]) -> Option<Vec<Option<&str>>> {
    let mut texts = Vec::new();
    while let Some((length, rest)) = elements.split_first_chunk() {
        let (text, rest) = match i32::from_be_bytes(*length) {
            -1 => (None, rest),
            length => {
                let (text, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
                (Some(std::str::from_utf8(text).ok()?), rest)
            }
        };
        texts.push(text);
        elements = rest;
    }
    elements.is_empty().then_some(texts)
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
    sqlx::Error::Decode("a value is malformed".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_texts_are_refused() {
        let sound = b"\0\0\0\x02\xc3\xa9\xff\xff\xff\xff\0\0\0\0";
        assert_eq!(texts(sound), Some(vec![Some("é"), None, Some("")]));
        assert_eq!(texts(b""), Some(Vec::new()));

        let unsound: [&[u8]; 4] =
            [b"\0\0\0\x02a", b"\0\0\0", b"\xff\xff\xff\xfe", b"\0\0\0\x01\xff"];
        for bytes in unsound {
            assert_eq!(texts(bytes), None, "{bytes:?}");
        }
    }
}
