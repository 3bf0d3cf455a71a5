//! Custom scalars, and counts as GraphQL's `Int`. They occur in answers only.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chrono::{SecondsFormat, Utc};

use crate::domain::TIMES;

/// A time in an answer.
#[derive(Clone, Copy)]
pub(crate) struct DateTime(pub chrono::DateTime<Utc>);

/// A date and time in UTC as [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339) writes it, always
/// with six digits of a second: `2026-01-31T12:00:00.000001Z`.
#[Scalar(specified_by_url = "https://www.rfc-editor.org/rfc/rfc3339")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => {
                let time = text.parse()?;
                let is_ours = TIMES.contains(&time);
                if is_ours { Ok(Self(time)) } else { Err("is not in the years 1 to 9999".into()) }
            }
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

/// A URI in an answer.
#[derive(Clone)]
pub(crate) struct Uri(pub String);

/// An [RFC 3986](https://www.rfc-editor.org/rfc/rfc3986) URI.
#[Scalar(name = "URI", specified_by_url = "https://www.rfc-editor.org/rfc/rfc3986")]
impl ScalarType for Uri {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) => Ok(Self(text)),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

/// A count as GraphQL's `Int`, which has 32 bits: at most 2,147,483,647.
pub(crate) fn clamped(count: i64) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_outside_of_the_years_1_to_9999_cannot_come_in() {
        let parsed = |text: &str| DateTime::parse(Value::from(text)).is_ok();
        assert!(parsed("0001-01-01T00:00:00Z") && parsed("9999-12-31T23:59:59.999999Z"));
        for bad in ["0000-12-31T23:59:59Z", "+10000-01-01T00:00:00Z", "-0001-01-01T00:00:00Z", "x"]
        {
            assert!(!parsed(bad), "{bad}");
        }
    }
}
