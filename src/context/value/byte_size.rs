//! A size of memory or of a disk, such as `10G`.

use std::fmt;
use std::str::FromStr;

use super::InvalidValue;

/// The hint for an invalid size.
const VALID: &str = "a size with a unit, such as 512M, 10G or 1T (1K is 1024 bytes)";

/// The units and their sizes in bytes, the largest first.
const UNITS: [(char, u64); 4] = [
    ('T', 1 << 40),
    ('G', 1 << 30),
    ('M', 1 << 20),
    ('K', 1 << 10),
];

/// A number of bytes that is at least one unit of 1024: `512M`, `10G`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(u64);

impl ByteSize {
    /// The size of something that was measured.
    pub fn of(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The size in bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }
}

/// To a tenth of the largest unit that fits: `10G`, `1.5G`, `700M`.
impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, size): &&(char, u64)| self.0 >= *size;
        let Some((unit, size)) = UNITS.iter().find(fits) else {
            return f.pad(&format!("{}B", self.0));
        };
        let tenths = (u128::from(self.0) * 10 + u128::from(*size) / 2) / u128::from(*size);
        f.pad(&match tenths % 10 {
            0 => format!("{}{unit}", tenths / 10),
            tenth => format!("{}.{tenth}{unit}", tenths / 10),
        })
    }
}

impl FromStr for ByteSize {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let text = text.trim();
        let refuse = || InvalidValue::new(format!("`{text}` is not a size"), VALID);
        let upper = text.to_ascii_uppercase();
        let short = upper
            .strip_suffix("IB")
            .or(upper.strip_suffix('B'))
            .unwrap_or(&upper);
        let (number, size) = UNITS
            .iter()
            .find_map(|(unit, size)| Some((short.strip_suffix(*unit)?.trim_end(), *size)))
            .ok_or_else(refuse)?;
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(refuse());
        }
        let number: u64 = number.parse().map_err(|_| refuse())?;
        match number.checked_mul(size) {
            Some(bytes) if bytes > 0 => Ok(Self(bytes)),
            _ => Err(refuse()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::parses;
    use super::*;

    #[test]
    fn a_size_has_a_unit_of_1024() {
        parses::<ByteSize>(&[
            ("10G", "10G"),
            ("512M", "512M"),
            ("512 MiB", "512M"),
            ("1tb", "1T"),
            ("64k", "64K"),
            ("1536M", "1.5G"),
            (" 2048M ", "2G"),
        ]);
        for text in [
            "",
            "10",
            "G",
            "-1G",
            "+1G",
            "1.5G",
            "0M",
            "10X",
            "1e3M",
            "18014398509481984G",
        ] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
        assert_eq!(
            "10G".parse().map(ByteSize::bytes),
            Ok(10 * 1024 * 1024 * 1024)
        );
    }

    #[test]
    fn a_measured_size_is_told_to_a_tenth() {
        for (bytes, shown) in [
            (0, "0B"),
            (1000, "1000B"),
            (1024, "1K"),
            (1_100_000_000, "1G"),
            (5_500_000, "5.2M"),
        ] {
            assert_eq!(ByteSize::of(bytes).to_string(), shown);
        }
    }
}
