//! The range of external ports that are handed out on demand, as the operator writes it.

use std::fmt;
use std::str::FromStr;

/// The first and the last of consecutive ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    first: u16,
    last: u16,
}

impl PortRange {
    /// How many ports it has.
    pub fn size(self) -> usize {
        usize::from(self.last - self.first) + 1
    }

    /// Whether a port is one of them.
    pub fn contains(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl FromStr for PortRange {
    type Err = NotAPortRange;

    fn from_str(text: &str) -> Result<Self, NotAPortRange> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        match (first.trim().parse(), last.trim().parse()) {
            (Ok(first), Ok(last)) if 0 < first && first <= last => Ok(Self { first, last }),
            _ => Err(NotAPortRange(text.to_owned())),
        }
    }
}

/// What was given is not a range of ports.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a range of ports: give it as 10000-10010")]
pub struct NotAPortRange(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_ports_is_written_as_it_is_read() {
        for (text, size) in [("10000-10010", 11), ("1-65535", 65535), ("53-53", 1)] {
            let range: PortRange = text.parse().expect("a range");
            assert_eq!((range.to_string().as_str(), range.size()), (text, size));
        }
    }

    #[test]
    fn what_is_no_range_of_ports_is_refused() {
        for text in ["", "-", "0-10", "10-9", "1-65536", "a-b", "1-2-3"] {
            assert_eq!(
                text.parse::<PortRange>(),
                Err(NotAPortRange(text.to_owned()))
            );
        }
    }
}
