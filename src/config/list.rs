//! Comma-separated values, as people write them: with spaces, and with a comma at the end.

use std::{fmt::Display, str::FromStr};

/// The values of one flag or variable. A flag may be repeated, so an option is a `Vec` of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct List<T>(Vec<T>);

impl<T> List<T> {
    /// The values of all lists.
    pub(super) fn concat(lists: Vec<Self>) -> Vec<T> {
        lists.into_iter().flat_map(|list| list.0).collect()
    }
}

impl<T: FromStr<Err: Display>> FromStr for List<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let items: Vec<_> =
            text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect();
        let parse = |item: &&str| {
            item.parse().map_err(|rule: T::Err| match items.len() {
                1 => rule.to_string(),
                _ => format!("{item:?}: {rule}"),
            })
        };
        items.iter().map(parse).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_and_a_last_comma_are_fine() {
        for (text, expected) in [
            ("1,2", vec![1, 2]),
            (" 1 , 2 ", vec![1, 2]),
            ("1,\n2,", vec![1, 2]),
            (",1,,2", vec![1, 2]),
            ("", vec![]),
            (" , ", vec![]),
        ] {
            assert_eq!(text.parse::<List<u8>>(), Ok(List(expected)), "{text:?}");
        }
    }

    #[test]
    fn an_error_names_the_bad_item_of_several() {
        let error = "1, x,".parse::<List<u8>>().expect_err("x is no number");
        assert!(error.starts_with("\"x\": "), "{error}");
        let error = "x".parse::<List<u8>>().expect_err("x is no number");
        assert!(!error.contains('x'), "{error}");
    }
}
