//! Durations as Go writes them: read from `30`, `1m30s` or `1.5h`, written in Go's one spelling.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A span of time in nanoseconds; negative ones exist and have meanings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration {
    nanoseconds: i64,
}

impl Duration {
    /// So many nanoseconds.
    pub(super) fn of_nanoseconds(nanoseconds: i64) -> Self {
        Self { nanoseconds }
    }

    /// How many nanoseconds it is.
    pub(super) fn nanoseconds(self) -> i64 {
        self.nanoseconds
    }
}

const NANOSECONDS_PER_SECOND: i64 = 1_000_000_000;

/// Longer units first where one begins with the other.
const UNITS: [(&str, i64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", NANOSECONDS_PER_SECOND),
    ("m", 60 * NANOSECONDS_PER_SECOND),
    ("h", 3_600 * NANOSECONDS_PER_SECOND),
];

impl FromStr for Duration {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, InvalidDuration> {
        parse(text)
            .map(|nanoseconds| Self { nanoseconds })
            .ok_or_else(|| InvalidDuration(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<i64>() {
        return seconds.checked_mul(NANOSECONDS_PER_SECOND);
    }
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest.is_empty() {
        return None;
    }
    let mut total: i64 = 0;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(number_end);
        let unit_end = tail
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit)?;
        total = total.checked_add(scaled(number, *scale)?)?;
        rest = tail;
    }
    Some(if negative { -total } else { total })
}

/// `1.5` of a unit of so many nanoseconds; what is finer than a nanosecond is cut off.
fn scaled(number: &str, scale: i64) -> Option<i64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let whole = match whole {
        "" => 0,
        digits => digits.parse::<i64>().ok()?,
    };
    let mut total = whole.checked_mul(scale)?;
    let mut place = scale;
    for digit in fraction.bytes().map(|byte| i64::from(byte - b'0')) {
        // No unit divides evenly by more than its own powers of ten, so the sum is kept exact by
        // taking each place from the unit and not from the last remainder.
        if place == 0 {
            break;
        }
        total = total.checked_add(place.checked_mul(digit)? / 10)?;
        place /= 10;
    }
    Some(total)
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.nanoseconds < 0 { "-" } else { "" };
        let nanoseconds = self.nanoseconds.unsigned_abs();
        let second = NANOSECONDS_PER_SECOND.unsigned_abs();
        if nanoseconds == 0 {
            return f.write_str("0s");
        }
        f.write_str(sign)?;
        if nanoseconds < second {
            let (unit, scale) = match nanoseconds {
                0..1_000 => ("ns", 1),
                1_000..1_000_000 => ("µs", 1_000),
                _ => ("ms", 1_000_000),
            };
            return write_fraction(f, nanoseconds, scale, unit);
        }
        let (hours, minutes) = (
            nanoseconds / (3_600 * second),
            nanoseconds / (60 * second) % 60,
        );
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if hours > 0 || minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        write_fraction(f, nanoseconds % (60 * second), second, "s")
    }
}

fn write_fraction(
    f: &mut fmt::Formatter<'_>,
    nanoseconds: u64,
    scale: u64,
    unit: &str,
) -> fmt::Result {
    write!(f, "{}", nanoseconds / scale)?;
    let remainder = nanoseconds % scale;
    if remainder > 0 {
        let width = scale.ilog10() as usize;
        let digits = format!("{remainder:0width$}");
        write!(f, ".{}", digits.trim_end_matches('0'))?;
    }
    f.write_str(unit)
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DurationVisitor;

        impl Visitor<'_> for DurationVisitor {
            type Value = Duration;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(DurationVisitor)
    }
}

/// What was given is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a duration such as 30s, 1m30s or 500ms")]
pub struct InvalidDuration(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them_and_written_as_go_writes_them() {
        for (text, written) in [
            ("30", "30s"),
            ("+5", "5s"),
            ("0", "0s"),
            ("-1ms", "-1ms"),
            ("90s", "1m30s"),
            ("60m", "1h0m0s"),
            ("1.5h", "1h30m0s"),
            (".5s", "500ms"),
            ("1.s", "1s"),
            ("1h2m3s4ms", "1h2m3.004s"),
            ("1500us", "1.5ms"),
            ("1µs", "1µs"),
            ("250ns", "250ns"),
            ("-1m30.25s", "-1m30.25s"),
            ("0.1m", "6s"),
        ] {
            assert_eq!(
                text.parse::<Duration>()
                    .map(|duration| duration.to_string()),
                Ok(written.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for text in [
            "",
            " ",
            "s",
            "-",
            "+",
            "1 s",
            "1S",
            "1d",
            "..5s",
            "1.2.3s",
            "1s2",
            ".s",
            "9999999999999h",
            "9223372036854775807",
            "1_000s",
            "1é",
        ] {
            assert_eq!(
                text.parse::<Duration>(),
                Err(InvalidDuration(text.to_owned())),
                "{text}"
            );
        }
    }
}
