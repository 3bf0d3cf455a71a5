//! Values of files: times, as other applications and we write them.

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, TimeDelta, Utc};

use crate::domain::{TIMES, to_micros};

/// How far ahead the clock of another machine may be.
const AHEAD_MAX: TimeDelta = TimeDelta::days(1);

/// Forms of a time without a zone, which is in UTC.
const FORMS: [&str; 4] =
    ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"];
/// Forms of a time with a zone.
const FORMS_WITH_ZONE: [&str; 2] = ["%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f %#z"];

/// Reads a time: RFC 3339, `YYYY-MM-DD HH:MM:SS[.f]` with or without a zone, a date, or the seconds,
/// milliseconds or microseconds since 1970, by their size.
///
/// # Errors
/// The reason why it is not a time that can be stored.
pub(super) fn time(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, &'static str> {
    let text = text.trim();
    let time = parse(text).ok_or("malformed time")?;
    if !TIMES.contains(&time) {
        return Err("time outside of the years 1 to 9999");
    }
    if time > now + AHEAD_MAX {
        return Err("time in the future");
    }
    Ok(to_micros(time))
}

/// A time as we write it: RFC 3339 in UTC, with microseconds.
pub(super) fn time_text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn parse(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.to_utc());
    }
    if text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-')) {
        if let Some(time) = since_1970(text) {
            return Some(time);
        }
        let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
        return Some(date.and_hms_opt(0, 0, 0)?.and_utc());
    }
    let in_utc = |form| NaiveDateTime::parse_from_str(text, form).ok();
    if let Some(time) = FORMS.into_iter().find_map(in_utc) {
        return Some(time.and_utc());
    }
    if let Some(text) = text.strip_suffix(" UTC") {
        return NaiveDateTime::parse_from_str(text, FORMS[0]).ok().map(|time| time.and_utc());
    }
    let with_zone = |form| DateTime::parse_from_str(text, form).ok();
    FORMS_WITH_ZONE.into_iter().find_map(with_zone).map(|time| time.to_utc())
}

/// A number of seconds, or of milliseconds or microseconds if it is too large for those.
fn since_1970(text: &str) -> Option<DateTime<Utc>> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i64 = whole.parse().ok()?;
    let micros = match number.unsigned_abs() {
        0..100_000_000_000 => {
            let digits = format!("{fraction:0<6}");
            let micros: i64 = digits.get(..6)?.parse().ok()?;
            number.checked_mul(1_000_000)?.checked_add(if number < 0 { -micros } else { micros })?
        }
        100_000_000_000..100_000_000_000_000 => number.checked_mul(1_000)?,
        _ => number,
    };
    DateTime::from_timestamp_micros(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-01-31T12:00:00Z".parse().expect("a time")
    }

    #[test]
    fn times_are_read_as_applications_write_them() {
        for (text, expected) in [
            ("2024-02-29T12:30:00Z", "2024-02-29T12:30:00Z"),
            ("2024-02-29T12:30:00.1234567+02:00", "2024-02-29T10:30:00.123456Z"),
            // SQLAlchemy on SQLite, MySQL, PostgreSQL, Rails.
            ("2024-02-29 12:30:00.123456", "2024-02-29T12:30:00.123456Z"),
            ("2024-02-29 12:30:00", "2024-02-29T12:30:00Z"),
            ("2024-02-29 12:30:00.5+00", "2024-02-29T12:30:00.500Z"),
            ("2024-02-29 12:30:00-0330", "2024-02-29T16:00:00Z"),
            ("2024-02-29 12:30:00 UTC", "2024-02-29T12:30:00Z"),
            ("2024-02-29T12:30", "2024-02-29T12:30:00Z"),
            ("2024-02-29", "2024-02-29T00:00:00Z"),
            ("1709209800", "2024-02-29T12:30:00Z"),
            ("1709209800.25", "2024-02-29T12:30:00.250Z"),
            ("1709209800123", "2024-02-29T12:30:00.123Z"),
            ("1709209800123456", "2024-02-29T12:30:00.123456Z"),
            ("0", "1970-01-01T00:00:00Z"),
            (" -1 ", "1969-12-31T23:59:59Z"),
        ] {
            let expected: DateTime<Utc> = expected.parse().expect("a time");
            assert_eq!(time(text, now()), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in
            ["", "infinity", "yesterday", "2024-02-30", "12:30", "1.2.3", "2024-13-01T00:00"]
        {
            assert_eq!(time(text, now()), Err("malformed time"), "{text:?}");
        }
        assert_eq!(time("2026-02-02", now()), Err("time in the future"));
        assert!(time("2026-02-01", now()).is_ok());
        assert_eq!(time("0000-01-01T00:00:00Z", now()), Err("time outside of the years 1 to 9999"));
    }
}
