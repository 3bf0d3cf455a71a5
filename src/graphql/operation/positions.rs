//! Lines and columns in a document, both from 1. Columns are UTF-16 code units, as in graphql-js
//! and in the editors that show them.

use std::collections::HashMap;

use async_graphql::Pos;

/// The positions of offsets in bytes. The text is read once, however many offsets there are.
pub(crate) fn positions(
    text: &str,
    offsets: impl IntoIterator<Item = usize>,
) -> HashMap<usize, Pos> {
    let mut offsets: Vec<_> = offsets.into_iter().collect();
    offsets.sort_unstable();
    offsets.dedup();

    let mut positions = HashMap::with_capacity(offsets.len());
    let mut pos = Pos { line: 1, column: 1 };
    let mut offsets = offsets.into_iter().peekable();
    let mut characters = text.char_indices().peekable();
    while let Some((offset, character)) = characters.next() {
        while let Some(wanted) = offsets.next_if(|wanted| *wanted <= offset) {
            positions.insert(wanted, pos);
        }
        if offsets.peek().is_none() {
            return positions;
        }
        let is_half = character == '\r' && characters.peek().is_some_and(|next| next.1 == '\n');
        match character {
            '\n' | '\r' if !is_half => pos = Pos { line: pos.line + 1, column: 1 },
            _ => pos.column += character.len_utf16(),
        }
    }
    positions.extend(offsets.map(|offset| (offset, pos)));
    positions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_line_end_begins_a_line() {
        let text = "a\nb\rc\r\n\u{feff}d \u{1f600}e";
        let place = |what: &str| {
            let offset = text.find(what).expect("it is there");
            let pos = positions(text, [offset])[&offset];
            (pos.line, pos.column)
        };
        let places = ["a", "b", "c", "d", "e"].map(place);
        assert_eq!(places, [(1, 1), (2, 1), (3, 1), (4, 2), (4, 6)]);
        assert_eq!(positions(text, [text.len()])[&text.len()], Pos { line: 4, column: 7 });
    }
}
