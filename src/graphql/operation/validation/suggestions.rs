//! "Did you mean": names that are similar to one that does not exist.
//!
//! Distances and their order are those of graphql-js: the number of insertions, deletions,
//! substitutions and swaps of neighbours, without regard to case.

use std::cmp::Ordering;

/// The most names that one message suggests.
const SUGGESTIONS_MAX: usize = 5;

/// The sentence that suggests the names among `options` that are similar to `input`; empty if no
/// name is similar. `kind` says what they are, such as "the enum value ".
pub(super) fn did_you_mean<'a>(
    kind: &str,
    input: &str,
    options: impl IntoIterator<Item = &'a str>,
) -> String {
    suggest(kind, &similar(input, options))
}

/// The sentence that suggests these names; empty without names.
pub(super) fn suggest(kind: &str, names: &[&str]) -> String {
    let quoted: Vec<_> =
        names.iter().take(SUGGESTIONS_MAX).map(|name| format!("\"{name}\"")).collect();
    let list = match &quoted[..] {
        [] => return String::new(),
        [only] => only.clone(),
        [first, second] => format!("{first} or {second}"),
        [most @ .., last] => format!("{}, or {last}", most.join(", ")),
    };
    format!(" Did you mean {kind}{list}?")
}

/// The options that are similar to a text, the most similar first.
fn similar<'a>(input: &str, options: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let word = Word::new(input);
    let threshold = input.encode_utf16().count() * 2 / 5 + 1;
    let near = options.into_iter().filter_map(|option| {
        let distance = word.distance(option);
        (distance <= threshold).then_some((distance, option))
    });
    let mut near: Vec<_> = near.collect();
    near.sort_by(|(left, a), (right, b)| left.cmp(right).then_with(|| natural_order(a, b)));
    near.dedup();
    near.into_iter().map(|(_, option)| option).collect()
}

struct Word<'a> {
    text: &'a str,
    lower: Vec<u16>,
}

impl<'a> Word<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, lower: text.to_lowercase().encode_utf16().collect() }
    }

    /// The distance to another word, or a bound below it if they differ much in length.
    fn distance(&self, other: &str) -> usize {
        if self.text == other {
            return 0;
        }
        let other = Word::new(other).lower;
        if self.lower == other {
            return 1;
        }
        // Words of very different lengths are not compared: this bounds the work for long ones.
        let difference = self.lower.len().abs_diff(other.len());
        if difference > self.lower.len() * 2 / 5 + 1 {
            return difference;
        }
        edits(&self.lower, &other)
    }
}

/// The number of edits between two texts (the optimal string alignment).
fn edits(left: &[u16], right: &[u16]) -> usize {
    let mut before = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for row in 1..=left.len() {
        let mut cells = vec![row];
        for column in 1..=right.len() {
            let cost = usize::from(left[row - 1] != right[column - 1]);
            let substituted = above[column - 1] + cost;
            let mut cell = substituted.min(above[column] + 1).min(cells[column - 1] + 1);
            let is_swap = row > 1
                && column > 1
                && left[row - 1] == right[column - 2]
                && left[row - 2] == right[column - 1];
            if is_swap {
                let swapped: usize = before[column - 2];
                cell = cell.min(swapped + 1);
            }
            cells.push(cell);
        }
        before = std::mem::replace(&mut above, cells);
    }
    above[right.len()]
}

/// Compares names with their numbers by value: `a2` is before `a10`.
pub(super) fn natural_order(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left.as_bytes(), right.as_bytes());
    while let (Some(&a), Some(&b)) = (left.first(), right.first()) {
        let order = if a.is_ascii_digit() && b.is_ascii_digit() {
            let (a, b) = (take_number(&mut left), take_number(&mut right));
            a.cmp(&b)
        } else {
            (left, right) = (&left[1..], &right[1..]);
            a.cmp(&b)
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    left.len().cmp(&right.len())
}

/// Removes the number at the start of a text: a zero, or all digits.
fn take_number(text: &mut &[u8]) -> u128 {
    let mut number = 0_u128;
    while let Some((&digit, rest)) = text.split_first().filter(|(digit, _)| digit.is_ascii_digit())
    {
        number = number.saturating_mul(10).saturating_add(u128::from(digit - b'0'));
        *text = rest;
        if number == 0 {
            break;
        }
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similar_names_are_suggested_in_order() {
        let fields = ["name", "username", "id", "bio", "followers", "following"];
        for (input, expected) in [
            ("nam", " Did you mean \"name\"?"),
            ("NAME", " Did you mean \"name\"?"),
            ("naem", " Did you mean \"name\"?"),
            ("follow", " Did you mean \"followers\" or \"following\"?"),
            ("di", " Did you mean \"id\"?"),
            ("nothing", ""),
        ] {
            assert_eq!(did_you_mean("", input, fields), expected, "{input}");
        }
    }

    #[test]
    fn at_most_five_names_are_suggested() {
        let names = ["a1", "a10", "a2", "a3", "a4", "a5"];
        let expected = " Did you mean the x \"a1\", \"a2\", \"a3\", \"a4\", or \"a5\"?";
        assert_eq!(did_you_mean("the x ", "a", names), expected);
    }

    #[test]
    fn long_names_are_not_compared_with_short_ones() {
        assert_eq!(did_you_mean("", &"n".repeat(200_000), ["name"; 100]), "");
    }
}
